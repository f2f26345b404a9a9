// The player: the film as it is stored, or drawn for the glasses, eyes and screens that the viewer has.
import { call } from "./api.js";
import { Controls } from "./controls.js";
import { eyeAspect, layoutOf } from "./layout.js";
import { Painter, twoWide } from "./shader.js";
import { showInVR, vrOffered } from "./xr.js";

const wigglePause = 180; // milliseconds
const relink = 60_000; // milliseconds between links: one that fails at once is not the reason

class Player {
  view = { mode: "stored", swap: false, gaze: [0, 0] };
  turn = "left"; // the eye that wiggling shows

  constructor(page) {
    this.page = page;
    this.stage = page.querySelector(".stage");
    this.screen = page.querySelector(".screen");
    this.video = page.querySelector("video");
    this.canvas = page.querySelector("canvas");
    this.layout = layoutOf(page.dataset.format);
    this.controls = new Controls(this.stage, this.video);
    this.#trouble();
    this.#keys();
    this.#shape();
    this.video.addEventListener("loadedmetadata", () => this.#shape());
    if (this.layout) this.#modes();
  }

  // modes lets the viewer choose how the pair of views is shown.
  #modes() {
    this.select = this.page.querySelector("[data-mode]");
    this.swap = this.page.querySelector("[data-swap]");
    this.page.querySelector(".modes").hidden = false;
    this.#calm();
    this.select.addEventListener("change", () => this.#choose(this.select.value));
    this.swap.addEventListener("change", () => {
      this.view.swap = this.swap.checked;
      this.#draw();
    });
    for (const event of ["seeked", "loadeddata"]) this.video.addEventListener(event, () => this.#draw());
    new ResizeObserver(() => this.#draw()).observe(this.screen);
    if (this.layout.dome) this.#look();
    this.#frames();
    this.#vr();
    this.#choose(this.select.value);
  }

  // calm takes wiggling away from who asked for less motion.
  #calm() {
    const less = matchMedia("(prefers-reduced-motion: reduce)");
    const say = () => {
      this.select.querySelector("[value=wiggle]").disabled = less.matches;
      if (less.matches && this.view.mode === "wiggle") this.#choose((this.select.value = "left"));
    };
    less.addEventListener("change", say);
    say();
  }

  #choose(mode) {
    clearInterval(this.wiggling);
    this.view.mode = mode;
    if (mode === "wiggle") {
      this.wiggling = setInterval(() => {
        this.turn = this.turn === "left" ? "right" : "left";
        this.#draw();
      }, wigglePause);
    }
    this.#shape();
    this.#draw();
  }

  // shape gives the stage the proportions of what it shows.
  #shape() {
    const { videoWidth: w, videoHeight: h } = this.video;
    const drawn = this.view.mode !== "stored";
    this.stage.classList.toggle("drawn", drawn);
    this.canvas.hidden = !drawn;
    if (!w) return;
    this.aspect = drawn ? eyeAspect(this.layout, w, h) * (twoWide(this.view.mode) ? 2 : 1) : w / h;
    this.screen.style.aspectRatio = String(this.aspect); // through the CSSOM, which the page's policy allows
  }

  #frames() {
    const next = () => {
      this.#draw();
      if (this.video.requestVideoFrameCallback) this.video.requestVideoFrameCallback(next);
      else requestAnimationFrame(next);
    };
    next();
  }

  #draw() {
    if (this.view.mode === "stored" || this.video.readyState < 2) return;
    try {
      this.painter ??= new Painter(this.canvas);
    } catch (error) {
      this.#say(`This browser can't draw 3D modes (${error.message}). The film plays as it is stored.`);
      return this.#choose((this.select.value = "stored"));
    }
    this.#fit();
    const mode = this.view.mode === "wiggle" ? this.turn : this.view.mode;
    this.painter.paint(this.video, this.layout, { ...this.view, mode });
  }

  // fit gives the canvas as many pixels as it covers on the screen.
  #fit() {
    const { width, height } = this.screen.getBoundingClientRect();
    const wide = Math.min(width, height * this.aspect) * devicePixelRatio;
    const w = Math.max(2, Math.min(Math.round(wide), 4096));
    const h = Math.max(2, Math.round(w / this.aspect));
    if (this.canvas.width !== w || this.canvas.height !== h) Object.assign(this.canvas, { width: w, height: h });
  }

  // look turns the dome by dragging or by Shift and the arrow keys.
  #look() {
    let from = null;
    this.canvas.addEventListener("pointerdown", (event) => {
      from = [event.clientX, event.clientY, ...this.view.gaze];
      this.canvas.setPointerCapture(event.pointerId);
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (!from) return;
      const scale = 2 / this.canvas.clientWidth;
      this.#turn(from[2] + (from[0] - event.clientX) * scale, from[3] + (event.clientY - from[1]) * scale);
      this.dragged = Math.hypot(event.clientX - from[0], event.clientY - from[1]) > 4;
    });
    this.canvas.addEventListener("pointerup", () => (from = null));
    this.canvas.addEventListener("click", (event) => this.dragged && event.preventDefault());
  }

  #turn(yaw, pitch) {
    const limit = (v, most) => Math.min(Math.max(v, -most), most);
    this.view.gaze = [limit(yaw, 1.4), limit(pitch, 1.2)];
    this.#draw();
  }

  async #vr() {
    if (!(await vrOffered())) return;
    const button = this.page.querySelector("[data-vr]");
    button.hidden = false;
    button.addEventListener("click", async () => {
      const { videoWidth: w, videoHeight: h } = this.video;
      try {
        await showInVR(this.video, this.layout, eyeAspect(this.layout, w, h), () => this.view, () => this.#draw());
      } catch (error) {
        this.#say(`The headset didn't start: ${error.message}`);
      }
    });
  }

  #keys() {
    const keys = {
      " ": () => this.controls.toggle(),
      k: () => this.controls.toggle(),
      ArrowLeft: (e) => (e.shiftKey && this.layout?.dome ? this.#turn(this.view.gaze[0] - 0.1, this.view.gaze[1]) : this.controls.step(-5)),
      ArrowRight: (e) => (e.shiftKey && this.layout?.dome ? this.#turn(this.view.gaze[0] + 0.1, this.view.gaze[1]) : this.controls.step(5)),
      f: () => this.controls.fullScreen(),
      m: () => (this.video.muted = !this.video.muted),
      s: () => this.swap?.click(),
    };
    addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const taken = event.target.closest("input, select, textarea, button, a, summary, dialog[open]");
      const act = keys[event.key] ?? this.#digit(event.key);
      if (!act || (taken && (event.key.length > 1 || event.key === " " || taken.matches("input:not([type=range],[type=checkbox]), select")))) return;
      event.preventDefault();
      act(event);
    });
  }

  // digit chooses the nth mode.
  #digit(key) {
    const option = /^[1-9]$/.test(key) && this.select?.options[Number(key) - 1];
    return option && !option.disabled ? () => this.#choose((this.select.value = option.value)) : null;
  }

  // trouble asks for another link when the film stops coming: the one that the page came with may have run out.
  #trouble() {
    let asked = -Infinity;
    this.video.addEventListener("error", async () => {
      const { currentTime: at, paused } = this.video;
      if (performance.now() - asked > relink) {
        asked = performance.now();
        const links = await call("GET", `/jobs/${this.page.dataset.player}/links`).catch(() => null);
        if (links) {
          this.video.src = links.play;
          this.video.currentTime = at;
          if (!paused) this.video.play().catch(() => {});
          return;
        }
      }
      this.#say("This browser can't play the film: it doesn't know the video's format, or the film's server can't be reached. Download it, or open it in VLC.");
    });
  }

  #say(text) {
    const alert = this.page.querySelector("[role=alert]");
    alert.textContent = text;
    alert.hidden = false;
  }
}

const page = document.querySelector("[data-player]");
if (page) new Player(page);
