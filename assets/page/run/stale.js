// Whether the pictures on screen are those of the form, shown at the pictures and at Run. They are again
// once the form has its earlier values again.

import { emit, on } from "../shared/signals.js";
import { set, state } from "../shared/store.js";
import { changed } from "../settings/undo.js";

const TYPED_MS = 60; // until text typed just before a click on Run is part of the form

let shown = null; // { form, seed } of the run whose pictures are on screen
let newest = null; // of the newest run, which may be refused
let refused = null; // the form that was refused

function updateStale() {
  set({ stale: Boolean(shown?.form && state.form && differs(shown, state.form)) });
}

// A refusal ends when the user changes the form. Changes by the server, such as going back to the
// previous model because the chosen one did not load, are part of the refusal.
function clearRefusal() {
  if (!refused?.form || !differs(refused, state.form)) return;
  refused = null;
  emit("refusal cleared");
}

// Numbers are compared by value; the seed that a run has drawn makes the same pictures.
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
  updateStale();
});
on("progress", ({ call }) => {
  if (call && shown !== newest) {
    shown = newest;
    updateStale();
  }
});
on("end", ({ run, state }) => {
  if (run) shown = Object.assign(newest, { seed: run.seed });
  else if (state === "error") refused = newest;
  updateStale();
});
on("settled", () => {
  updateStale();
  setTimeout(clearRefusal); // after history.js has reported who made the change
});
on("edited", ({ served }) => {
  if (served && refused) refused.form = state.form;
});
