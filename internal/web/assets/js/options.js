// The form's fields as the API's options. A field's name is its path: "stereo.divergence".
export function readOptions(form) {
  const options = {};
  for (const field of form.elements) {
    if (!field.name || (field.type === "radio" && !field.checked) || !("option" in field.dataset)) continue;
    const path = field.name.split(".");
    let at = options;
    for (const step of path.slice(0, -1)) at = at[step] ??= {};
    at[path.at(-1)] = value(field);
  }
  return options;
}

function value(field) {
  switch (field.dataset.option) {
    case "number":
      return field.value === "" ? Number(field.dataset.empty ?? 0) : Number(field.value);
    case "time":
      return seconds(field.value);
  }
  return field.value;
}

// seconds reads "90", "1:30" or "0:01:30.5".
export function seconds(text) {
  return text.trim().split(":").reduce((sum, part) => sum * 60 + Number(part || 0), 0) || 0;
}

// mirror writes each slider's value beside it.
export function mirror(form) {
  const write = (input) => {
    const output = form.querySelector(`output[for="${input.id}"]`);
    if (output) output.textContent = Number(input.value).toFixed(Number(input.dataset.digits ?? 1)) + (input.dataset.unit ?? "");
  };
  const shown = "input[type=range][data-option]";
  form.querySelectorAll(shown).forEach(write);
  form.addEventListener("input", (event) => event.target.matches(shown) && write(event.target));
}
