// The recorded examples on the stage: the first one for who comes for the first time, others when asked for.

import { openRun } from "../history/open_run.js";
import { isRunning, open } from "../run/run.js";
import { waitForElement } from "../shared/dom.js";
import { emit, on } from "../shared/signals.js";
import { state, subscribe } from "../shared/store.js";
import { openTab } from "../tabs/tabs.js";

const NO_EXAMPLE = "There is no such recorded example.";
const NOT_SHOWN = "The recorded example cannot be shown";

// Show what early.js has asked for, unless a run is there by now. The form, whose defaults are the
// example's settings, is not touched.
export async function showFirst() {
  const asked = window.samplerExplorerFirst;
  if (!asked) return;
  await waitForElement("#progress[data-state], #progress [data-state]");
  const { opened, problem } = await asked;
  if (isRunning() || state.recorded || state.run.state !== "idle") return;
  if (problem) emit("lost", `${NOT_SHOWN}: ${problem}`);
  if (!opened) return;
  const form = opened.whole ? { ...opened.settings, init_image: null } : null;
  open({ ...opened, form });
  const { call, lane } = opened.result.example.see;
  look({ call, lane }); // all else is as a page begins
}

// Open an example by its key or its id: it is on the stage, with `fill` its settings in the form, with
// `see` what its card speaks of on screen. Resolves to the opened run, null where a newer request has
// taken over; rejects with an Error whose message is a sentence.
export async function openExample(name, { fill = true, see = true } = {}) {
  const card = state.examples.find(({ key, id }) => key === name || id === name);
  if (!card) throw new Error(NO_EXAMPLE);
  const opened = await openRun(card.id, { fill });
  if (opened && see) look(card.see);
  return opened;
}

function look({ call, lane = 0, view, tab, curve }) {
  if (tab) openTab(tab, { focus: Boolean(document.activeElement?.closest("#panels")) }); // it is hidden there
  if (curve) emit("curve", curve);
  if (view) emit("view", view);
  if (call !== undefined) emit("seek", { call, lane });
}

// The label at the pictures: gone with the first picture of a run.
const mark = (is) => document.querySelector("#viewer .viewer")?.toggleAttribute("data-example", is);
subscribe("recorded", ({ recorded }) => mark(Boolean(recorded?.example)));
on("progress", ({ call }) => call && mark(false));
