// What happens on the page and leaves nothing to know afterwards; what does is in the store.

// "begin", "progress" and "end" of a run (run.js), "rest" (run.js: the newest error has gone with its
// cause), "lost" (run.js: this sentence of a lost server), "seek" (somebody asks viewer.js to show a
// call), "frames" (viewer.js asks for the run's frames in full size, from {cursor, view} outwards),
// "full" and "unwritten" (full_frames.js: these files are there; this sentence on those that are not),
// "settled" (form.js: the form has changed and rests), "edited" (history.js: these {fields} have
// changed; `served` where the server did it), "unrefused" (stale.js: the settings are no longer those
// that a run was refused for).
const bus = new EventTarget();
export const emit = (signal, detail) => bus.dispatchEvent(new CustomEvent(signal, { detail }));
export const on = (signal, listener) => bus.addEventListener(signal, (event) => listener(event.detail));
