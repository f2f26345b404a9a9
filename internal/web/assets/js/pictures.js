// A thumbnail that isn't there yet leaves the drawing below it to be seen, and comes with the next look at its job.
export function hideBrokenPictures() {
  document.addEventListener("error", (event) => event.target.matches?.(".thumb img") && event.target.remove(), true);
  for (const image of document.querySelectorAll(".thumb img")) {
    if (image.complete && !image.naturalWidth) image.remove();
  }
}
