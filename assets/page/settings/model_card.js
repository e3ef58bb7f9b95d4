// Under the model menu: the progress of loading, facts and notes, changed settings, or an error.

import { make } from "../shared/dom.js";
import { on } from "../shared/signals.js";
import { set } from "../shared/store.js";

export function mount({ element, props, watch }) {
  const sidebar = document.querySelector("#settings");
  const bar = element.querySelector("progress");
  const setText = (name, text) => (element.querySelector(`.${name}`).textContent = text);

  let latest = 0; // the newest revision: answers to several choices may arrive in any order

  function show() {
    const { revision, loading, fraction, problem, facts, notes, settings_note, without, native } = props.value;
    if (!(revision >= latest)) return;
    latest = revision;
    setText("loading", loading);
    bar.hidden = !loading;
    if (fraction == null) bar.removeAttribute("value"); // the fraction is unknown
    else bar.value = fraction;
    setText("sentence", problem);
    setText("facts", loading ? "" : facts);
    setText("settings-note", settings_note);
    element.querySelector(".notes").replaceChildren(...(loading ? [] : notes.map((note) => make("li", "", note))));
    // Fields that do not apply are hidden; they keep their values, and a run ignores them.
    sidebar.dataset.without = without.join(" ");
    if (native) hint(native);
    set({ model: { ...props.value } });
  }

  // The note on changed settings is outdated once the user changes something, and the error of a load
  // once another model runs.
  on("edited", ({ served }) => served || setText("settings-note", ""));
  on("begin", () => setText("sentence", ""));
  watch("value", show);
  show();
}

// Empty size boxes stand for the model's native size.
function hint(native) {
  ["width", "height"].forEach((side, at) => {
    const box = document.querySelector(`#${side} :is(input, textarea)`);
    if (box) box.placeholder = native[at];
  });
}
