// Films dropped anywhere on a page marked data-drop-page open the page of a new film, with the files in hand.
export function dropAnywhere(page) {
  if (!page) return;
  const veil = document.querySelector("#veil");
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  let depth = 0;
  const show = (visible) => (veil.hidden = !visible);
  addEventListener("dragenter", (event) => carriesFiles(event) && show(++depth > 0));
  addEventListener("dragleave", (event) => carriesFiles(event) && show(--depth > 0));
  addEventListener("dragover", (event) => carriesFiles(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    show((depth = 0) > 0);
    open([...event.dataTransfer.files]);
  });
}

// open shows the page of a new film in place, because files don't survive a navigation.
async function open(files) {
  const page = document.querySelector("[data-draft]") ? document : await fetchPage("/jobs/new");
  const { takeFiles } = await import(page.querySelector("[data-draft]").dataset.script);
  takeFiles(files);
}

async function fetchPage(path) {
  const answer = await fetch(path);
  const next = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.querySelector("main").replaceWith(document.adoptNode(next.querySelector("main")));
  document.title = next.title;
  for (const link of document.querySelectorAll(".top .link")) {
    if (link.getAttribute("href") === path) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  history.pushState(null, "", path);
  addEventListener("popstate", () => location.reload());
  document.querySelector("h1").focus();
  return document;
}
