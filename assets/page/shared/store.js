// What the parts of the page share: the state that tests and extensions read, and a way to talk.

// state: idle, running, done, cancelled or error. call of calls: how far the run came.
// frame: the recorded call on screen, from 0; -1 while there is none.
export const explorer = { state: "idle", call: 0, calls: 0, frame: -1 };
window.samplerExplorer = explorer;

// Topics: "begin", "progress" and "end" of a run (run.js), "cursor" (viewer.js moved to a call),
// "seek" (somebody asks viewer.js to), "settings" (plot.js got the form's labels and problems),
// "lanes" (the lanes' table changed: see `form`), "model" (about.js got news of the one that is
// chosen), "pins" (the list of pinned schedules has changed), "kinds" (plot.js drew these marks),
// "edit" (are points edited from now on?), "form" (form.js: the form holds these values), "edited"
// (history.js: these {fields} have changed; `served` where the server did it), "stale" (stale.js: are
// the pictures of other settings?), "unrefused" (the settings are no longer those that a run was
// refused for), "rest" (run.js: the newest error has gone with its cause), "lost" (run.js: this sentence of a lost server), "connection" (does the
// server answer?), "frames" (viewer.js asks for the run's frames in full size, from {cursor, view} outwards), "full" (these
// files of such frames are there), "apply" (somebody asks the form to hold {lane, values}: settings by field, in a
// lane counted from 0 or, where that is null, in all).
const bus = new EventTarget();
export const emit = (topic, detail) => bus.dispatchEvent(new CustomEvent(topic, { detail }));
export const on = (topic, listener) => bus.addEventListener(topic, (event) => listener(event.detail));

// What the lanes' table holds: the columns that a run will have, whether all share lane A's, and the
// model's own configuration by field.
export const form = { columns: [], same: false, own: {} };

export const LANES = [..."abcdef"];

// Where a browser fetches a file that the server has named, under the app's own root.
export const fileUrl = (path) =>
  path.startsWith("data:") ? path : `${window.gradio_config.root}/${path}`;

export const styleOf = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();

// "7" or "7½": the step, counted from 1, that a call belongs to.
export const stepName = ({ step, half }) => `${step + 1}${half ? "½" : ""}`;

// Parts mount in no fixed order: wait for an element of another.
export async function appear(query) {
  for (;;) {
    const found = document.querySelector(query);
    if (found) return found;
    await new Promise(requestAnimationFrame);
  }
}

// Fill one of Gradio's boxes as if typed.
export function typeInto(control, text) {
  const box = document.querySelector(`#${control} :is(input, textarea)`);
  box.value = text;
  box.dispatchEvent(new Event("input", { bubbles: true }));
}
