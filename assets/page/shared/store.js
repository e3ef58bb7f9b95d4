// The page's state, each thing once. Modules that show it subscribe to its key; modules that change it
// call `set`. Does not touch the DOM.

// Unknown values are null.
export function makeStore(initial) {
  const state = { ...initial };
  const subscribers = new Set(); // {keys, listener}

  // Apply a patch, then call each listener of a changed key once.
  function set(patch) {
    const changed = Object.keys(patch).filter((key) => !Object.is(state[key], patch[key]));
    const unknown = Object.keys(patch).find((key) => !(key in state));
    if (unknown) throw new Error(`the page's state has no "${unknown}"`);
    Object.assign(state, patch);
    for (const { keys, listener } of [...subscribers]) {
      if (keys.some((key) => changed.includes(key))) call(listener);
    }
  }

  // An error of one listener does not affect the others.
  function call(listener) {
    try {
      listener(state);
    } catch (error) {
      report(error);
    }
  }

  // Call `listener(state)` after every change of one of the keys; returns a function that ends it.
  function subscribe(keys, listener) {
    const unknown = [keys].flat().find((key) => !(key in state));
    if (unknown) throw new Error(`the page's state has no "${unknown}"`);
    const subscriber = { keys: [keys].flat(), listener };
    subscribers.add(subscriber);
    return () => subscribers.delete(subscriber);
  }

  // The same, and also at once if one of the keys is known: components are mounted in no fixed order.
  function follow(keys, listener) {
    const end = subscribe(keys, listener);
    if ([keys].flat().some((key) => state[key] !== null)) call(listener);
    return end;
  }

  // Resolves once the key is known.
  const known = (key) => new Promise((resolve) => follow(key, () => resolve(state[key])));

  return { state, set, subscribe, follow, known };
}

const report = (error) => (globalThis.reportError ?? console.error)(error);

export const { state, set, subscribe, follow, known } = makeStore({
  // Of the newest run. state: idle, running, done, cancelled or error; call of calls: how far it came;
  // frame: the recorded call on screen, from 0, or -1 while there is none.
  run: { state: "idle", call: 0, calls: 0, frame: -1 },
  plan: [], // the newest run's lanes: label, group, steps and calls
  key: "", // of the schedules of the run on screen
  recorded: null, // the newest run that has ended with frames: its seed, its lanes' calls and files
  cursor: { calls: [], points: [] }, // on screen, by lane: the number of its call, and the call
  view: "denoised", // what the pictures show: see viewer/view_switches.js
  compare: { mode: "side", lanes: [0, 1] }, // side, slider or difference, and of which two lanes
  stale: false, // are the pictures on screen those of other settings?

  form: null, // what the controls hold, by field
  // value: what the lanes' table holds, {lanes, same}; columns: what a run will have; same: do all lanes
  // share lane A's?
  lanes: { value: null, columns: [], same: false, modelDefaults: {} },
  model: null, // how far its loading is, and what it is
  answer: null, // the server's newest, of any kind: problems and the doctor's findings
  curves: null, // the newest answer that has a figure
  connected: true, // does the server answer?
  examples: [], // the recorded ones: a card each

  tab: "schedule", // the panel below the pictures that is shown: see tabs/tabs.js

  pins: [], // the pinned schedules
  hidden: { lanes: [], kinds: [] }, // on the plot: lanes from 0, and kinds of marks
  editing: false, // are the plot's points moved by hand?
  plotDrawn: false, // is the plot there?
  plotFailed: false, // could the plot's script not be loaded?
});
