// A thumbnail that isn't there yet leaves the drawing below it to be seen.
export function hideBrokenPictures() {
  const hide = (image) => (image.hidden = true);
  document.addEventListener("error", (event) => event.target.matches?.(".thumb img") && hide(event.target), true);
  for (const image of document.querySelectorAll(".thumb img")) if (image.complete && !image.naturalWidth) hide(image);
}
