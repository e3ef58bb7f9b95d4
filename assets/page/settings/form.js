// The whole form as plain data by field: Gradio tells of every change, and all controls can be filled
// at once, whatever kind they are. The lanes are the field "lanes": {lanes: [{field: value}], same}.

import { emit } from "../shared/store.js";

const SETTLED_MS = 20; // what belongs to one change of several controls comes together

let names = []; // of the fields, in the order of the controls
let trigger = null; // asks Gradio for its events "ask" and "fill"
let now = null;
let wanted = null;
let timer = 0;

export const formNow = () => now;

// `part` is history.js', whose Gradio component has the two events.
export function connect(part) {
  names = part.names;
  trigger = part.trigger;
  trigger("ask");
}

// Make the controls hold these values; fields that are not named keep theirs.
export function fillForm(values) {
  if (!now) return;
  const known = Object.entries(values).filter(([name]) => names.includes(name));
  wanted = { ...(wanted ?? now), ...Object.fromEntries(known) };
  trigger("fill");
}

// Gradio calls these two.
window.samplerExplorerForm = {
  wanted() {
    const values = names.map((name) => (wanted ?? now)[name]);
    wanted = null;
    return structuredClone(values);
  },
  changed(values) {
    if (!names.length) return;
    now = plain(Object.fromEntries(names.map((name, at) => [name, values[at]])));
    clearTimeout(timer);
    timer = setTimeout(() => emit("form", now), SETTLED_MS);
  },
};

// Without the watchers that Gradio's page wraps values in.
const plain = (value) => JSON.parse(JSON.stringify(value));
