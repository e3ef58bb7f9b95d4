// Under the model menu: how far its loading is, what it is, what was set for it, or why it failed.

import { emit, on } from "../shared/store.js";

export function mount({ element, props, watch }) {
  const sidebar = document.querySelector("#settings");
  const bar = element.querySelector("progress");
  const say = (name, text) => (element.querySelector(`.${name}`).textContent = text);

  let latest = 0; // of the choices, whose news may overtake each other

  function show() {
    const { turn, loading, fraction, problem, facts, notes, said, without, native } = props.value;
    if (!(turn >= latest)) return;
    latest = turn;
    say("loading", loading);
    bar.hidden = !loading;
    if (fraction == null) bar.removeAttribute("value"); // how far is not known
    else bar.value = fraction;
    say("sentence", problem);
    say("facts", loading ? "" : facts);
    say("said", said);
    element.querySelector(".notes").replaceChildren(...(loading ? [] : notes.map(line)));
    // What does not apply is out of sight; what it holds stays, and a run leaves it out.
    sidebar.dataset.without = without.join(" ");
    if (native) hint(native);
    emit("model", props.value);
  }

  // What was set for the model is old news once somebody has set something else; that another one
  // did not come, once the one that is here runs.
  on("edited", ({ served }) => served || say("said", ""));
  on("begin", () => say("sentence", ""));
  watch("value", show);
  show();
}

function line(text) {
  return Object.assign(document.createElement("li"), { textContent: text });
}

// Empty size boxes are the model's own size.
function hint(native) {
  ["width", "height"].forEach((side, at) => {
    const box = document.querySelector(`#${side} :is(input, textarea)`);
    if (box) box.placeholder = native[at];
  });
}
