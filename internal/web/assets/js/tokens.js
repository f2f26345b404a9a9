// The settings' list of API tokens. A new token is shown once, because the server keeps its hash alone.
import { call } from "./api.js";

export function tokens(section) {
  if (!section) return;
  const form = section.querySelector("form");
  const shown = section.querySelector("[data-new-token]");
  const problem = section.querySelector("[role=alert]");
  const attempt = async (work) => {
    problem.hidden = true;
    try {
      await work();
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
    }
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(async () => {
      const { token } = await call("POST", "/tokens", { name: form.elements.name.value });
      shown.hidden = false;
      shown.querySelector("input").value = token;
      shown.querySelector("input").focus();
      form.reset();
    });
  });
  section.addEventListener("click", (event) => {
    const button = event.target.closest("[data-revoke]");
    if (button) {
      attempt(async () => {
        await call("DELETE", `/tokens/${button.dataset.revoke}`);
        button.closest("tr").remove();
      });
    }
  });
}
