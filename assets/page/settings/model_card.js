// Under the model menu: how far its loading is, what it is, what was set for it, or why it failed.

import { make } from "../shared/dom.js";
import { on } from "../shared/signals.js";
import { set } from "../shared/store.js";

export function mount({ element, props, watch }) {
  const sidebar = document.querySelector("#settings");
  const bar = element.querySelector("progress");
  const setText = (name, text) => (element.querySelector(`.${name}`).textContent = text);

  let latest = 0; // of the choices, whose news may overtake each other

  function show() {
    const { revision, loading, fraction, problem, facts, notes, settings_note, without, native } = props.value;
    if (!(revision >= latest)) return;
    latest = revision;
    setText("loading", loading);
    bar.hidden = !loading;
    if (fraction == null) bar.removeAttribute("value"); // how far is not known
    else bar.value = fraction;
    setText("sentence", problem);
    setText("facts", loading ? "" : facts);
    setText("settings-note", settings_note);
    element.querySelector(".notes").replaceChildren(...(loading ? [] : notes.map((note) => make("li", "", note))));
    // What does not apply is out of sight; what it holds stays, and a run leaves it out.
    sidebar.dataset.without = without.join(" ");
    if (native) hint(native);
    set({ model: { ...props.value } });
  }

  // What was set for the model is old news once somebody has set something else; that another one
  // did not come, once the one that is here runs.
  on("edited", ({ served }) => served || setText("settings-note", ""));
  on("begin", () => setText("sentence", ""));
  watch("value", show);
  show();
}

// Empty size boxes are the model's own size.
function hint(native) {
  ["width", "height"].forEach((side, at) => {
    const box = document.querySelector(`#${side} :is(input, textarea)`);
    if (box) box.placeholder = native[at];
  });
}
