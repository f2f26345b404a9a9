// Asks before a form marked data-confirm is sent. Without this script the form is sent at once.
export function confirmForms(dialog) {
  if (!dialog) return;
  let waiting = null;
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.dataset.confirm || form === waiting) return;
    event.preventDefault();
    event.stopPropagation();
    waiting = form;
    dialog.querySelector("[data-question]").textContent = form.dataset.confirm;
    dialog.querySelector("[value=yes]").textContent = form.dataset.confirmButton ?? "Yes";
    dialog.returnValue = "";
    dialog.showModal();
  }, true);
  dialog.addEventListener("close", () => {
    const form = waiting;
    if (dialog.returnValue === "yes" && form?.isConnected) form.requestSubmit();
    waiting = null;
  });
}
