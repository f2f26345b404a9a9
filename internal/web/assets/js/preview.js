// A frame of the person's own film as it would become, asked for anew when an option or the moment changes.
// Only the newest question counts: older ones are cancelled.
import { patiently, send } from "./api.js";
import { clock } from "./format.js";

const pause = 200; // milliseconds of rest before the server is asked

export class Preview {
  #asked = new AbortController();
  #timer;
  #job = null;
  #shown = "";

  // options() returns the form's options.
  constructor(figure, options) {
    this.figure = figure;
    this.options = options;
    this.image = figure.querySelector("img");
    this.words = figure.querySelector("[data-words]");
    this.note = figure.querySelector("[data-note]");
    this.moment = figure.querySelector("[data-moment]");
    figure.addEventListener("input", () => this.ask());
  }

  // of shows a job's film from now on.
  of(job) {
    if (this.#job === job) return;
    this.#job = job;
    this.moment.disabled = false;
    this.ask(0);
  }

  ask(rest = pause) {
    this.#sayMoment();
    if (!this.#job) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#fetch(), rest);
  }

  async #fetch() {
    const query = this.#query();
    if (query === this.#shown) return;
    this.#asked.abort();
    const { signal } = (this.#asked = new AbortController());
    this.#busy(true);
    try {
      const answer = await patiently(() => send(`/api/v1/jobs/${this.#job}/preview?${query}`, { signal }), signal);
      this.#measure(answer.headers);
      this.#remark(answer.headers.get("X-Preview-Note") ?? "");
      this.#show(await answer.blob());
      this.#shown = query;
      this.#busy(false);
    } catch (error) {
      if (signal.aborted) return;
      this.#busy(false);
      this.#say(error.message);
    }
  }

  #query() {
    const { stereo, depth } = this.options();
    const kind = this.figure.querySelector("[name=kind]:checked").value;
    const query = { at: this.moment.value, kind };
    if (kind !== "frame") query.depth = depth.model;
    if (kind !== "frame") Object.assign(query, stereo);
    return String(new URLSearchParams(query));
  }

  // measure learns the film's length from the first answer.
  #measure(headers) {
    const length = Number(headers.get("X-Film-Seconds"));
    if (!(length > 0) || Number(this.moment.dataset.length) === length) return;
    this.moment.dataset.length = length;
    this.moment.max = Math.max(0, length - 0.05).toFixed(2);
    this.#sayMoment();
  }

  // remark says what the film will have that the picture hasn't.
  #remark(text) {
    this.note.textContent = text;
    this.note.hidden = !text;
  }

  #sayMoment() {
    const text = clock(this.moment.value);
    this.moment.setAttribute("aria-valuetext", text);
    const length = Number(this.moment.dataset.length);
    this.figure.querySelector("[data-time]").textContent = length ? `${text} of ${clock(length)}` : text;
  }

  #show(blob) {
    URL.revokeObjectURL(this.image.src);
    this.image.src = URL.createObjectURL(blob);
    this.image.hidden = false;
    this.words.hidden = true;
  }

  #say(text) {
    this.words.textContent = text;
    this.words.hidden = false;
    this.image.hidden = true;
  }

  #busy(is) {
    this.figure.setAttribute("aria-busy", String(is));
    this.figure.querySelector("[data-busy]").hidden = !is;
  }
}
