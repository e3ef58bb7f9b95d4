// The native controls of the lanes' table: one for every kind of setting, and a file for a list.

import { icon, make } from "../shared/dom.js";
import { asText } from "./fields.js";
import { tip } from "../shared/tip.js";

// The control of a setting, for its cell, and what stands beside it there. `onValue` gets each new
// value, `onFile` a file.
export function makeControl(field, { label, hint, onValue, files, onFile }) {
  const box = BOXES[field.kind](field);
  box.setAttribute("aria-label", label);
  box.setAttribute("aria-describedby", hint);
  box.dataset.hint = hint;
  const chosen = field.kind === "choice";
  box.addEventListener(chosen ? "change" : "input", () => {
    const none = field.empty && box.value.trim() === "";
    onValue(chosen ? field.choices[box.selectedIndex][1] : none ? 0 : box.value);
  });
  return field.kind === "list" ? [box, ...fileButton(label, files, onFile)] : [box];
}

// Make a control show a value; an equal value, and the caret, are left alone.
export function showValue({ kind, choices, empty }, box, value) {
  if (empty && Number(value) === 0) {
    // Somebody who types "0.5" types a 0 first.
    if (document.activeElement !== box || Number(box.value) !== 0) box.value = "";
    return;
  }
  if (kind === "choice") {
    const at = choices.findIndex((choice) => choice[1] === value);
    if (box.selectedIndex !== at) box.selectedIndex = at;
    box.title = choices[at]?.[0] ?? ""; // in a narrow column it may be cut off
  } else if (box.value !== asText(value)) box.value = asText(value);
}

// Grey the choices of a menu that a sampler does not have, and say which; `refuser(value)` is its name, or "".
// The chosen one keeps its name alone: that is all a closed menu has room for.
export function greyChoices({ choices }, box, refuser) {
  for (const option of box.options) {
    const [label, value] = choices[Number(option.value)];
    const name = refuser(value);
    const text = name && !option.selected ? `${label} (not ${name})` : label;
    if (option.disabled !== Boolean(name)) option.disabled = Boolean(name);
    if (option.text !== text) option.text = text;
  }
}

const BOXES = {
  choice: ({ choices, groups }) => {
    const box = make("select");
    const under = (values) => (_, at) => values.includes(choices[at][1]);
    const options = choices.map(([label], at) => new Option(label, at));
    box.append(...options);
    for (const [label, values] of Object.entries(groups)) {
      const group = Object.assign(make("optgroup"), { label });
      group.append(...options.filter(under(values)));
      box.append(group);
    }
    return box;
  },
  whole: () => textBox({ inputMode: "numeric" }, "whole"),
  real: () => textBox({ inputMode: "decimal" }, "real"),
  text: () => textBox({}),
  list: () =>
    Object.assign(make("textarea"), { rows: 1, placeholder: "none", spellcheck: false }),
};

function textBox(more, number) {
  const attributes = { type: "text", autocomplete: "off", spellcheck: false };
  const box = Object.assign(make("input"), attributes, more);
  if (number) box.dataset.number = number;
  return box;
}

function fileButton(label, { types }, onFile) {
  const input = Object.assign(make("input"), { type: "file", accept: types, hidden: true });
  const button = iconButton("file", `${label}, from a file`, "M8 10.5v-8M5 5.5l3-3 3 3M2.5 10v3.5h11V10");
  button.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    if (input.files.length) onFile(input.files[0]);
    input.value = ""; // the same file may be chosen again
  });
  return [button, input];
}

export function iconButton(name, label, path) {
  const button = Object.assign(make("button", `icon ${name}`, icon(path)), { type: "button" });
  button.setAttribute("aria-label", label);
  tip(button, label);
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
