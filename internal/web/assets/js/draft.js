// The page of a new film: files, options, preview, start. The same for /jobs/new and for a film that waits for
// its file or for its start.
import { call, patiently } from "./api.js";
import { Film } from "./film.js";
import { mirror, presets, readOptions } from "./options.js";
import { Preview } from "./preview.js";
import { Uploads } from "./upload.js";

class Draft {
  films = [];
  uploads = new Uploads();
  starting = false;

  constructor(root) {
    this.root = root;
    this.form = root.querySelector("form");
    this.alert = root.querySelector("#trouble");
    this.start = root.querySelector("[data-start]");
    this.preview = new Preview(root.querySelector(".preview"), () => this.options());
    mirror(this.form);
    presets(this.form);
    this.#files();
    this.#choices();
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#begin();
    });
    if (root.dataset.draft) this.#resume(root.dataset);
    this.#state();
  }

  options() {
    return readOptions(this.form);
  }

  // resume shows the job that the server wrote into the page.
  #resume({ draft, title, uploaded, size, started }) {
    const film = new Film(this.#line(), title);
    Object.assign(film, { job: draft, wanted: Number(size), started: started === "true" });
    film.line.dataset.film = draft;
    film.line.dataset.size = size;
    this.films.push(film);
    if (uploaded === "true") this.#whole(film);
    else film.say(film.line.dataset.waiting ?? "Waiting for its file");
  }

  #line() {
    const list = this.root.querySelector(".uploads");
    list.append(this.root.querySelector("#film-line").content.cloneNode(true));
    list.hidden = false;
    return list.lastElementChild;
  }

  #files() {
    const drop = this.root.querySelector(".drop");
    const input = drop.querySelector("input");
    input.disabled = false;
    input.addEventListener("change", () => {
      this.take([...input.files]);
      input.value = "";
    });
    for (const name of ["dragenter", "dragover"]) drop.addEventListener(name, () => drop.classList.add("over"));
    for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
  }

  // take begins with files that were chosen or dropped.
  async take(files) {
    this.#complain("");
    for (const file of files) {
      try {
        await this.#takeOne(file);
      } catch (error) {
        this.#complain(`${file.name}: ${error.message}`);
      }
    }
  }

  async #takeOne(file) {
    if (file.size === 0) throw new Error("the file is empty. Choose another one.");
    const waiting = this.films.find((f) => f.job && !f.uploaded && !f.file);
    if (waiting && waiting.wanted && waiting.wanted !== file.size) {
      throw new Error(`this isn't the file that the page waits for: “${waiting.title}” has another size. Choose that one again.`);
    }
    const film = waiting ?? new Film(this.#line(), file.name);
    if (!waiting) this.films.push(film);
    await film.open(file, () => this.options());
    this.#address();
    this.#state();
    await film.upload(this.uploads, (f) => (f.uploaded ? this.#whole(f) : this.#stopped(f))).catch((error) => film.fail(error));
    film.line.querySelector("[data-again]").onclick = (event) => this.#again(film, event.target);
  }

  #stopped(film) {
    this.#speak(`The upload of ${film.title} stopped: ${film.failed.message}`);
    this.#state();
  }

  #again(film, button) {
    button.hidden = true;
    film.failed = null;
    this.uploads.again(film.job);
  }

  // address gives a single film its own address, so that a reload comes back to it.
  #address() {
    const own = this.films.length === 1 ? `/jobs/${this.films[0].job}` : "/jobs/new";
    if (location.pathname !== own) history.replaceState(null, "", own);
  }

  #whole(film) {
    film.whole();
    this.#speak(`${film.title} is uploaded.`);
    this.preview.of(film.job);
    this.#state();
    if (film.started || this.starting) this.#leave();
  }

  // choices tells the server of changed options once they rest, and the preview at once.
  #choices() {
    let timer;
    this.form.addEventListener("input", (event) => {
      if (!("option" in event.target.dataset)) return;
      this.preview.ask();
      this.#dependent();
      clearTimeout(timer);
      timer = setTimeout(() => this.#save(), 600);
    });
    this.#dependent();
  }

  async #save() {
    if (this.starting) return;
    const options = this.options();
    try {
      await Promise.all(this.films.filter((f) => f.job && !f.started)
        .map((f) => patiently(() => call("PATCH", `/jobs/${f.job}`, { options }))));
      this.#complain("");
    } catch (error) {
      this.#complain(error.message);
    }
  }

  // dependent shows what only some formats need.
  #dependent() {
    const { format } = this.options();
    for (const element of this.form.querySelectorAll("[data-only]")) {
      element.hidden = !element.dataset.only.split(" ").includes(format);
    }
  }

  async #begin() {
    this.starting = true;
    this.#state();
    try {
      const options = this.options();
      for (const film of this.films.filter((f) => !f.started)) {
        await patiently(() => call("POST", `/jobs/${film.job}/start`, { options }));
        film.started = true;
      }
      this.#leave();
    } catch (error) {
      this.starting = false;
      this.#complain(error.message);
    }
    this.#state();
  }

  // leave goes to the film's progress once nothing needs this page any more.
  #leave() {
    if (!this.films.every((f) => f.uploaded && f.started)) return;
    location.assign(this.films.length === 1 ? `/jobs/${this.films[0].job}` : "/");
  }

  #state() {
    const open = this.films.filter((f) => !f.uploaded);
    const ready = this.films.length > 0 && this.films.every((f) => f.job);
    this.start.disabled = !ready || this.starting || this.films.every((f) => f.started);
    this.start.textContent = this.films.length > 1 ? `Start ${this.films.length} films` : "Start";
    let words = "";
    if (!this.films.length) words = "Choose a film first.";
    else if (this.films.every((f) => f.started) && open.length) words = "Starts by itself as soon as the upload is whole. Keep this page open until then.";
    else if (open.length) words = "You may start now: conversion begins when the upload is whole.";
    this.root.querySelector("[data-hint]").textContent = words;
    this.#dropZone();
  }

  // dropZone gets out of the way once there is a film.
  #dropZone() {
    const drop = this.root.querySelector(".drop");
    drop.hidden = this.root.dataset.draft !== "" && this.films.every((f) => f.uploaded || f.file);
    if (this.root.dataset.draft || !this.films.length) return;
    drop.classList.add("compact");
    drop.querySelector("[data-call]").textContent = "Add another film";
    drop.querySelector("#drop-hint").textContent = "It gets the same options.";
  }

  // speak tells those who don't see the bars what matters of them.
  #speak(text) {
    this.root.querySelector("[data-spoken]").textContent = text;
  }

  #complain(text) {
    this.alert.textContent = text;
    this.alert.hidden = !text;
  }
}

let draft = null;

// takeFiles is called with what was dropped on another page.
export function takeFiles(files) {
  draft ??= new Draft(document.querySelector("[data-draft]"));
  draft.take(files);
}

const root = document.querySelector("[data-draft]");
if (root) draft = new Draft(root);
