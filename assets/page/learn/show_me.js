// What a "show me" button does: an action is data, of which each part is done in turn.
//
// {example, form, view, compare, curve, tab, call, lane}: open a recorded example with its settings; change
// settings of the form; choose a view, a comparison, a curve of the plot; open a tab; go to a call, counted
// from 1, of a lane, counted from 0.

import { openExample } from "../examples/first_example.js";
import { fillForm } from "../settings/form.js";
import { emit } from "../shared/signals.js";
import { set } from "../shared/store.js";

const PARTS = {
  example: (key) => openExample(key, { fill: true, see: true }),
  form: (values) => fillForm(values),
  view: (key) => emit("view", key),
  compare: (how) => emit("compare", how),
  curve: (switches) => emit("curve", switches),
  tab: (key) => set({ tab: key }),
  call: (number, { lane = 0 }) => emit("seek", { call: number - 1, lane }),
};

export const parts = Object.keys(PARTS);

// Do an action; returns a sentence on what to look at. Rejects with an Error whose message is a sentence.
export async function show(action) {
  for (const [part, act] of Object.entries(PARTS)) {
    if (part in action) await act(action[part], action);
  }
  return action.look ?? "";
}
