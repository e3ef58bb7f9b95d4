// Are the pictures on screen those of the form? Said at the pictures, and at the button that renews
// them; a form that is given back its values has its pictures back.

import { emit, on } from "../shared/signals.js";
import { set, state } from "../shared/store.js";
import { changed } from "../settings/undo.js";

const TYPED_MS = 60; // until what was typed last before a click on Run is part of the form

let shown = null; // { form, seed } of the run whose pictures are on screen
let newest = null; // of the newest run, which may be refused
let refused = null; // the form that was refused

function judge() {
  set({ stale: Boolean(shown?.form && state.form && differs(shown, state.form)) });
}

// A refusal is of a form that the user has changed since. What the server changes, such as the model
// that is taken back because it did not come, is part of the refusal.
function clearRefusal() {
  if (!refused?.form || !differs(refused, state.form)) return;
  refused = null;
  emit("unrefused");
}

// A number is itself in any spelling; the seed that a run has drawn makes its pictures again.
function differs({ form, seed }, now) {
  return changed(plain(form), plain(now)).some((field) => field !== "seed" || now.seed !== seed);
}

function plain({ lanes, ...run }) {
  const numbers = (column) =>
    Object.fromEntries(Object.entries(column).map(([name, value]) => [name, asNumber(value)]));
  return { ...numbers(run), prompt: run.prompt, lanes: { ...lanes, lanes: lanes.lanes.map(numbers) } };
}

const asNumber = (value) =>
  typeof value === "string" && value.trim() !== "" && Number.isFinite(Number(value)) ? Number(value) : value;

on("begin", () => {
  refused = null;
  newest = { form: state.form };
  setTimeout(() => (newest.form = state.form), TYPED_MS);
  judge();
});
on("progress", ({ call }) => {
  if (call && shown !== newest) {
    shown = newest;
    judge();
  }
});
on("end", ({ run, state }) => {
  if (run) shown = Object.assign(newest, { seed: run.seed });
  else if (state === "error") refused = newest;
  judge();
});
on("settled", () => {
  judge();
  setTimeout(clearRefusal); // once history.js has said whose change it is
});
on("edited", ({ served }) => {
  if (served && refused) refused.form = state.form;
});
