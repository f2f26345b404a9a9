// A thumbnail that isn't there yet leaves the drawing below it to be seen, and is asked for again a few times: the last
// event of a short film may come before its picture does.
const waits = [1000, 2000, 4000, 8000, 16000]; // milliseconds before each further look

export function hideBrokenPictures() {
  document.addEventListener("error", (event) => event.target.matches?.(".thumb img") && setAside(event.target), true);
  for (const image of document.querySelectorAll(".thumb img")) {
    if (image.complete && !image.naturalWidth) setAside(image);
  }
}

function setAside(image) {
  const frame = image.parentElement;
  const looks = Number(image.dataset.looks) || 0;
  image.remove();
  if (looks >= waits.length) return;
  setTimeout(() => {
    if (!frame.isConnected || frame.querySelector("img")) return; // the next look at its job was quicker
    const next = image.cloneNode();
    next.dataset.looks = looks + 1;
    frame.append(next);
  }, waits[looks]);
}
