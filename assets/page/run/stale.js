// Whether the pictures on screen are those of the form, shown at the pictures and at Run. They are again
// once the form has its earlier values again.

import { emit, on } from "../shared/signals.js";
import { set, state } from "../shared/store.js";
import { changed } from "../settings/undo.js";

const TYPED_MS = 60; // until text typed just before a click on Run is part of the form
const FILLED_MS = 2000; // until the form has the settings of a run that was opened, if it differs
const NOT_THE_FORMS = { lanes: { lanes: [] } }; // the settings of pictures that no form has

let shown = null; // { form, seed } of the run whose pictures are on screen
let newest = null; // of the newest run, which may be refused
let refused = null; // the form that was refused
let filling = 0; // the timer while the form is filled with a run's settings

function updateStale() {
  if (!filling) set({ stale: Boolean(shown?.form && state.form && differs(shown, state.form)) });
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
  const picture = run.init_image?.path ?? null; // Gradio adds to what it is given
  const table = { ...lanes, lanes: lanes.lanes.map(numbers) };
  return { ...numbers(run), init_image: picture, prompt: run.prompt, lanes: table };
}

const asNumber = (value) =>
  typeof value === "string" && value.trim() !== "" && Number.isFinite(Number(value)) ? Number(value) : value;

on("begin", ({ form, again }) => {
  refused = null;
  const begun = (newest = { form });
  if (!again) setTimeout(() => (begun.form = state.form), TYPED_MS);
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
// The form is about to be filled with the run's settings.
on("opened", ({ run, form }) => {
  refused = null;
  newest = shown = { form: form ? { ...state.form, ...form } : NOT_THE_FORMS, seed: run.seed };
  clearTimeout(filling);
  filling = form ? setTimeout(filled, FILLED_MS) : 0;
  updateStale();
});

function filled() {
  clearTimeout(filling);
  filling = 0;
  updateStale();
}

on("settled", () => {
  filled();
  setTimeout(clearRefusal); // after history.js has reported who made the change
});
on("edited", ({ served }) => {
  if (served && refused) refused.form = state.form;
});
