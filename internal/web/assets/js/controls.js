// The player's own controls, which work over the canvas and in full screen too. Without this script the video has
// the browser's.
import { clock } from "./format.js";

export class Controls {
  constructor(stage, video) {
    this.stage = stage;
    this.video = video;
    this.bar = stage.querySelector(".bar");
    video.controls = false;
    this.bar.hidden = false;
    this.#play();
    this.#seek();
    this.#sound();
    this.#screen();
  }

  #button(name, act) {
    const button = this.bar.querySelector(`[data-do=${name}]`);
    button.addEventListener("click", act);
    return button;
  }

  #play() {
    const button = this.#button("play", () => this.toggle());
    const say = () => this.#label(button, this.video.paused ? "Play" : "Pause", !this.video.paused);
    for (const event of ["play", "pause", "ended"]) this.video.addEventListener(event, say);
    this.stage.querySelector(".screen").addEventListener("click", (event) => !event.defaultPrevented && this.toggle());
    say();
  }

  #seek() {
    const { video } = this;
    const seek = this.bar.querySelector(".seek");
    const time = this.bar.querySelector(".time");
    const say = () => {
      const all = Number.isFinite(video.duration) ? video.duration : 0;
      seek.max = all;
      if (!this.dragging) seek.value = video.currentTime;
      time.textContent = `${clock(seek.value)} / ${clock(all)}`;
      seek.setAttribute("aria-valuetext", `${clock(seek.value)} of ${clock(all)}`);
    };
    for (const event of ["loadedmetadata", "durationchange", "timeupdate", "seeked"]) video.addEventListener(event, say);
    seek.addEventListener("input", () => {
      this.dragging = true;
      video.currentTime = Number(seek.value);
      say();
    });
    seek.addEventListener("change", () => (this.dragging = false));
    say();
  }

  #sound() {
    const { video } = this;
    const button = this.#button("mute", () => (video.muted = !video.muted));
    const volume = this.bar.querySelector(".volume");
    volume.addEventListener("input", () => {
      video.volume = Number(volume.value);
      video.muted = video.volume === 0;
    });
    const say = () => {
      volume.value = video.muted ? 0 : video.volume;
      this.#label(button, video.muted ? "Sound on" : "Mute", video.muted);
    };
    video.addEventListener("volumechange", say);
    say();
  }

  #screen() {
    const button = this.#button("full", () => this.fullScreen());
    button.hidden = !document.fullscreenEnabled;
    document.addEventListener("fullscreenchange", () =>
      this.#label(button, document.fullscreenElement ? "Leave full screen" : "Full screen", Boolean(document.fullscreenElement)));
  }

  #label(button, text, pressed) {
    button.setAttribute("aria-label", text);
    button.title = text;
    button.classList.toggle("on", pressed);
  }

  toggle() {
    if (this.video.paused) this.video.play().catch(() => {});
    else this.video.pause();
  }

  step(seconds) {
    this.video.currentTime = Math.min(Math.max(0, this.video.currentTime + seconds), this.video.duration || 0);
  }

  fullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.stage.requestFullscreen().catch(() => {});
  }
}
