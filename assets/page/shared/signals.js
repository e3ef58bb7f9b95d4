// Events on the page that change no state; state is in the store.

// "begin" ({ form, again }: the form that it is made with, and whether the page comes back to it),
// "progress" and "end" of a run (run.js), "cut" (run.js: its stream may be broken; how it would end),
// "found" (run.js: the server is back after a run was lost), "rest" (run.js: the newest error was cleared
// with its cause), "opened" (run.js: a run that is over is shown again), "taken" (zip_files.js: the server
// has a run more, of this id), "deleted" and "restored" (past_runs.js: the id of a run of the history), "filling" (form.js: the page itself changes the form), "lost" (run.js: a
// sentence about a lost server), "seek" (asks viewer.js to show a call), "view" and "compare" (ask for another view; to compare {mode, lanes}), "subject" (asks the tab Learn for one of its subjects), "curve" (asks the plot's menus for {quantity, x, y, relative}, each if given), "dim" (keys.js: the plot shows lane {but} before the others, all alike for -1), "frames" (viewer.js asks for the run's frames in full size, starting at {cursor, view}), "full" and "unwritten"
// (full_frames.js: new files; a sentence about missing ones), "settled" (form.js: the form has changed, and
// no further change is pending), "edited" (history.js: these {fields} have changed; `served` if by the
// server), "refusal cleared" (stale.js: the settings differ from those that were refused).
const bus = new EventTarget();
export const emit = (signal, detail) => bus.dispatchEvent(new CustomEvent(signal, { detail }));
export const on = (signal, listener) => bus.addEventListener(signal, (event) => listener(event.detail));
