// One event stream a page. Elements marked data-job fetch themselves again when their job changes.
import htmx from "htmx.org";

const quiet = 1000; // milliseconds between two fetches of one element, at least

export function live(page) {
  if (!page) return;
  const due = new Map(); // element → timer
  const refresh = (element) => {
    if (due.has(element)) return;
    const since = Date.now() - (Number(element.dataset.fetched) || 0);
    due.set(element, setTimeout(() => {
      due.delete(element);
      element.dataset.fetched = Date.now();
      if (element.isConnected) htmx.trigger(element, "changed", {}, false);
    }, Math.max(0, quiet - since)));
  };
  listen(page.dataset.live, {
    job: (job) => {
      const element = document.querySelector(`[data-job="${CSS.escape(job.id)}"]`) ?? listFor(job);
      if (element && !shown(element, job)) refresh(element);
    },
    removed: ({ id }) => {
      if (page.dataset.only === id) location.assign("/");
      document.querySelector(`[data-job="${CSS.escape(id)}"]`)?.remove();
    },
    // What happened while nobody listened is on the page after this. A list holds its jobs.
    again: () => {
      const list = document.querySelector("[data-new-jobs]");
      (list ? [list] : document.querySelectorAll("[data-job]")).forEach(refresh);
    },
  });
}

// shown reports whether element shows a job that has ended as it is: the stream begins with every job there is.
function shown(element, job) {
  return ["completed", "failed", "cancelled"].includes(job.status) && element.dataset.updated === job.updated_at;
}

// listFor returns the list if job is newer than all it shows. Ids sort by age.
function listFor(job) {
  const list = document.querySelector("[data-new-jobs]");
  const newest = list?.querySelector("[data-job]")?.dataset.job ?? "";
  return job.id > newest ? list : null;
}

// listen keeps an EventSource open. The browser reconnects by itself with Last-Event-ID while the server can be
// reached; after an answer that isn't a stream (a restarting proxy, say) a new one is opened here.
function listen(url, on) {
  const lost = document.querySelector("#lost");
  let source, timer;
  const open = (again) => {
    clearTimeout(timer);
    source = new EventSource(url);
    for (const name of ["job", "removed"]) {
      source.addEventListener(name, (event) => on[name](JSON.parse(event.data)));
    }
    source.addEventListener("open", () => {
      if (again) on.again();
      again = true;
      lost.hidden = true;
    });
    source.addEventListener("error", () => {
      lost.hidden = false;
      if (source.readyState === EventSource.CLOSED) timer = setTimeout(reopen, 3000);
    });
  };
  // reopen finds out first whether the session has ended; the sign-in page leads back here.
  const reopen = async () => {
    const answer = await fetch("/api/v1/system").catch(() => null);
    if (answer?.status === 401) location.reload();
    else open(true);
  };
  open(false);
  addEventListener("pagehide", () => {
    clearTimeout(timer);
    source.close();
  });
  addEventListener("pageshow", (event) => event.persisted && open(true));
}
