// The native controls of the lanes' table: one for every kind of setting, and a file for a list.

import { asText } from "./knobs.js";

// The control of a setting, for its cell, and what stands beside it there. `told` gets each new
// value, `read` a file.
export function makeControl(knob, { label, hint, told, files, read }) {
  const box = BOXES[knob.kind](knob);
  box.setAttribute("aria-label", label);
  box.setAttribute("aria-describedby", hint);
  box.dataset.hint = hint;
  const chosen = knob.kind === "choice";
  box.addEventListener(chosen ? "change" : "input", () => {
    const none = knob.empty && box.value.trim() === "";
    told(chosen ? knob.choices[box.selectedIndex][1] : none ? 0 : box.value);
  });
  return knob.kind === "list" ? [box, ...fileButton(label, files, read)] : [box];
}

// Make a control show a value; what stands there already, and its caret, are left alone.
export function showValue({ kind, choices, empty }, box, value) {
  if (empty && Number(value) === 0) {
    // Whoever is typing "0.5" has a 0 on the way.
    if (document.activeElement !== box || Number(box.value) !== 0) box.value = "";
    return;
  }
  if (kind === "choice") {
    const at = choices.findIndex((choice) => choice[1] === value);
    if (box.selectedIndex !== at) box.selectedIndex = at;
    box.title = choices[at]?.[0] ?? ""; // in a narrow column it may be cut off
  } else if (box.value !== asText(value)) box.value = asText(value);
}

const BOXES = {
  choice: ({ choices, groups }) => {
    const box = document.createElement("select");
    const under = (values) => (_, at) => values.includes(choices[at][1]);
    const options = choices.map(([label], at) => new Option(label, at));
    box.append(...options);
    for (const [label, values] of Object.entries(groups)) {
      const group = Object.assign(document.createElement("optgroup"), { label });
      group.append(...options.filter(under(values)));
      box.append(group);
    }
    return box;
  },
  whole: () => textBox({ inputMode: "numeric" }, "whole"),
  real: () => textBox({ inputMode: "decimal" }, "real"),
  text: () => textBox({}),
  list: () =>
    Object.assign(document.createElement("textarea"), { rows: 1, placeholder: "none", spellcheck: false }),
};

function textBox(more, number) {
  const look = { type: "text", autocomplete: "off", spellcheck: false };
  const box = Object.assign(document.createElement("input"), look, more);
  if (number) box.dataset.number = number;
  return box;
}

function fileButton(label, { types }, read) {
  const input = Object.assign(document.createElement("input"), { type: "file", accept: types, hidden: true });
  const button = iconButton("file", `${label}, from a file`, "M8 10.5v-8M5 5.5l3-3 3 3M2.5 10v3.5h11V10");
  button.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    if (input.files.length) read(input.files[0]);
    input.value = ""; // the same file may be chosen again
  });
  return [button, input];
}

export function iconButton(name, label, path) {
  const button = Object.assign(document.createElement("button"), { type: "button", className: `icon ${name}`, title: label });
  button.setAttribute("aria-label", label);
  const svg = "http://www.w3.org/2000/svg";
  const icon = document.createElementNS(svg, "svg");
  icon.setAttribute("viewBox", "0 0 16 16");
  icon.setAttribute("aria-hidden", "true");
  icon.append(document.createElementNS(svg, "path"));
  icon.firstChild.setAttribute("d", path);
  button.append(icon);
  return button;
}

export function readAsBase64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.split(",")[1] ?? "");
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}
