// Which run this page, and the next page of this browser, comes back to: its id, and the form it was
// made with. A tab has its own; a new tab has the browser's.

import { setTabState, tabState } from "../shared/tab_state.js";

const STORED = "sampler-explorer.run";
const STORES = ["sessionStorage", "localStorage"]; // the tab's comes first

// newest: the run that was begun last; shown: the one whose pictures are on screen; each { id, form, at }.
const NOTHING = { newest: null, shown: null };

let kept = null;

export function keptRun() {
  kept ??= checked(tabState().run) ?? STORES.map(read).find(Boolean) ?? NOTHING;
  return kept;
}

// Called with every run that this page begins: what it shows until then is come back to if this one fails.
export const keepBegun = (id, form) => write({ ...keptRun(), newest: { id, form, at: Date.now() } });

// A run has pictures, which are on screen.
export function keepShown(id, form) {
  const { newest } = keptRun();
  const shown = { id, form, at: Date.now() };
  write({ newest: newest && newest.id !== id ? newest : shown, shown });
}

// Another run than the newest one is on screen.
export const keepOpened = (id, form) => write({ newest: { id, form, at: 0 }, shown: { id, form, at: 0 } });

// The newest run has ended without any: the one before it is still on screen.
export const forgetNewest = () => write({ newest: keptRun().shown, shown: keptRun().shown });

export const forgetAll = () => write(NOTHING);

function read(store) {
  try {
    return checked(JSON.parse(window[store].getItem(STORED) ?? "null"));
  } catch {
    return null;
  }
}

const checked = (value) => (value && isRun(value.newest) && isRun(value.shown) ? value : null);
const isRun = (run) => run === null || /^[0-9a-f]{32}$/.test(run?.id);

function write(value) {
  kept = value;
  for (const store of STORES) {
    try {
      window[store].setItem(STORED, JSON.stringify(value));
    } catch {
      setTabState({ run: value }); // full or forbidden
    }
  }
}
