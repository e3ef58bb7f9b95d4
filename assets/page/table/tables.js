// The table of the form's lanes, and that of the run on screen, which may be one of other settings.

import { lanesOf, lanesOfCalls } from "./rows.js";
import { isRunning } from "../run/run.js";
import { follow, state } from "../shared/store.js";

const KEPT = 8; // tables by the key of their schedules: a run is mostly of settings that were drawn

const kept = new Map();
let text = ""; // of the form's table
let lanes = []; // the same, read

follow("curves", ({ curves: { table, key } }) => {
  if (table !== text) lanes = lanesOf(JSON.parse(table));
  text = table;
  kept.delete(key);
  kept.set(key, lanes);
  if (kept.size > KEPT) kept.delete(kept.keys().next().value);
});

export const formTable = () => lanes;

// Is the run on screen one of other settings than the form's?
export const isOther = ({ cursor, curves, key }) => cursor.points.length > 0 && curves !== null && curves.key !== key;

// The run's where it is another's than the form's, else the form's.
export function shownTable() {
  if (!isOther(state)) return lanes;
  const known = kept.get(state.key);
  if (known) {
    kept.delete(state.key); // the newest ones are kept
    kept.set(state.key, known);
    return known;
  }
  const recorded = isRunning() ? [] : (state.recorded?.lanes ?? []);
  return lanesOfCalls(state.plan.length ? state.plan : recorded, recorded);
}
