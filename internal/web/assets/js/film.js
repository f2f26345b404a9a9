// One film of a draft: its job, its file, and its line in the list.
import { call, patiently } from "./api.js";
import { bytes, span } from "./format.js";
import { forget, recall, remember } from "./memory.js";

export class Film {
  uploaded = false;
  started = false;
  failed = null;

  constructor(line, title) {
    this.line = line;
    this.title = title;
    this.line.querySelector("[data-name]").textContent = title;
  }

  // open finds the unfinished upload that file belongs to, or creates a job for it. All but the film's own
  // options come from options().
  async open(file, options) {
    this.file = file;
    this.job ??= (await this.#earlier(file)) ?? (await this.#create(file, options()));
    this.line.dataset.film = this.job;
    remember(this.job, file);
  }

  async #earlier(file) {
    for (const id of recall(file)) {
      try {
        const job = await call("GET", `/jobs/${id}`);
        if (job.status === "created" && !job.uploaded) return id;
      } catch {
        // removed meanwhile, or another person's
      }
      forget(id);
    }
    return undefined;
  }

  async #create(file, options) {
    const job = await patiently(() => call("POST", "/jobs", { title: file.name, size: file.size, options }), undefined, (e) => this.trouble(e));
    return job.id;
  }

  async upload(uploads, changed) {
    this.failed = null;
    this.since = null;
    await uploads.send(this.job, this.file, {
      progress: (done, all) => this.progress(done, all),
      trouble: (error) => this.trouble(error),
      done: () => {
        this.whole();
        changed(this);
      },
      failed: (error) => {
        this.fail(error);
        changed(this);
      },
    });
  }

  progress(done, all) {
    const now = performance.now();
    this.since ??= { now, done };
    const bar = this.line.querySelector("progress");
    bar.max = all;
    bar.value = done;
    const rate = (done - this.since.done) / ((now - this.since.now) / 1000);
    const left = rate > 0 && now - this.since.now > 1000 && done < all ? `, ${span((all - done) / rate)} left` : "";
    this.say(`${Math.floor((100 * done) / all)}% of ${bytes(all)}${left}`);
  }

  trouble(error) {
    if (error) this.say("The connection is lost. It goes on by itself as soon as the server answers.");
  }

  whole() {
    this.uploaded = true;
    forget(this.job);
    this.line.querySelector("progress").hidden = true;
    const size = this.file?.size ?? Number(this.line.dataset.size); // the server tells it of an upload under way alone
    this.say(size ? `Uploaded, ${bytes(size)}` : "Uploaded");
  }

  fail(error) {
    this.failed = error;
    this.say(error.message);
    this.line.querySelector("[data-again]").hidden = false;
  }

  say(text) {
    this.line.querySelector("[data-state]").textContent = text;
  }
}
