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
    case "flag":
      return field.checked;
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

// presets has each preset set its options' fields, and goes unchosen when a person changes one of them.
export function presets(form) {
  const group = form.querySelector("[data-presets]");
  if (!group) return;
  group.addEventListener("change", ({ target }) => {
    for (const [name, value] of Object.entries(JSON.parse(target.dataset.sets))) {
      const field = form.elements[`stereo.${name}`];
      if (!field) continue;
      if (field.type === "checkbox") field.checked = value;
      else field.value = field.type === "number" && !value ? "" : value;
      field.dispatchEvent(new CustomEvent("input", { bubbles: true, detail: "preset" }));
    }
  });
  form.addEventListener("input", (event) => {
    const made = Object.keys(JSON.parse(group.querySelector("[data-sets]").dataset.sets)).filter((name) => name !== "eyes" && name !== "anaglyph");
    if (event.detail === "preset" || !made.some((name) => event.target.name === `stereo.${name}`)) return;
    for (const choice of group.querySelectorAll("input")) choice.checked = false;
  });
}
