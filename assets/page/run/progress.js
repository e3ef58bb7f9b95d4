// The bar: Run and Stop, and how far the run is.

import { watchServer } from "./connection.js";
import { fillForm } from "../settings/form.js";
import { addSeedButtons } from "../settings/seed.js";
import { followLists } from "../settings/steps.js";
import { begin, isRunning, isStopping, stop } from "./run.js";
import { waitForElement } from "../shared/dom.js";
import { letter, stepName } from "../shared/names.js";
import { on } from "../shared/signals.js";
import { state, subscribe } from "../shared/store.js";
import { tip } from "../shared/tip.js";

const SOON_MS = 1000;
const SPOKEN_EVERY_MS = 4000; // screen readers get a sentence now and then, not twelve a second

export async function mount({ element }) {
  const [runButton, stopButton] = await Promise.all(["#run", "#stop"].map(waitForElement));
  const [bar, where, note, seed, spoken] = [
    "progress",
    ".where",
    ".note",
    ".seed",
    "[role=status]",
  ].map((query) => element.querySelector(query));
  let spokenAt = 0;
  let stoppingSince = 0;
  let fraction = 0; // of the calls of all lanes
  let ended = null; // the last event, while the bar shows the run's result
  let left = new Set(); // frames that are approximate because of a stop, until they arrive in full size

  function show(position, remark = "", { speak = false } = {}) {
    where.textContent = position;
    note.textContent = remark;
    if (speak || performance.now() - spokenAt > SPOKEN_EVERY_MS) {
      spokenAt = performance.now();
      spoken.textContent = `${position} ${remark}`;
    }
  }

  // Most runs stop within a second; one in a long model call does not, and says why.
  function stoppingRemark({ message, call }) {
    stoppingSince ||= performance.now();
    if (performance.now() - stoppingSince <= SOON_MS) return "";
    return message && call ? "after what is under way" : "after the model call under way";
  }

  function refresh() {
    element.dataset.state = state.run.state;
    bar.value = fraction;
    runButton.setAttribute("aria-disabled", isRunning());
    stopButton.setAttribute("aria-disabled", !isRunning());
  }

  on("begin", () => {
    ended = null;
    fraction = stoppingSince = 0;
    refresh();
    seed.hidden = true;
    show("Starting", "", { speak: true });
  });
  on("progress", (event) => {
    fraction = event.fraction ?? fraction;
    refresh();
    if (isStopping()) return show("Stopping", stoppingRemark(event));
    if (!event.call) return show(event.message || "Waiting", waiting(event));
    if (event.message) return show(event.message, event.making_frames ? remaining(event.eta) : "");
    return show(position(event), remaining(event.eta));
  });
  on("end", showEnd);
  on("opened", showEnd);

  function showEnd(event) {
    if (event.state === "done") fraction = 1;
    refresh();
    ended = event;
    left = approximateFrames(event.run);
    show(summary(event, left), "", { speak: true });
    seed.hidden = !event.run;
    if (event.run) seed.textContent = `seed ${event.run.seed}`;
  }

  on("full", (frames) => {
    if (!ended || !left.size) return;
    for (const { lane, call, view } of frames) left.delete(frameKey(lane, call, view));
    where.textContent = summary(ended, left);
  });
  on("lost", (sentence) => {
    ended = null;
    refresh();
    show(sentence, "", { speak: true });
  });
  on("rest", () => {
    ended = null;
    fraction = 0;
    refresh();
    show("Ready", "", { speak: true });
  });
  // The bar describes the run on screen, while Run would give another.
  subscribe("stale", ({ stale }) => [element, runButton].forEach((each) => each.toggleAttribute("data-stale", stale)));

  seed.addEventListener("click", () => fillForm({ seed: state.recorded.seed }));
  // In the capture phase, so that the page knows before Gradio does.
  document.addEventListener("click", guard, true);
  document.addEventListener("keydown", (key) => {
    if (key.key === "Enter" && (key.ctrlKey || key.metaKey)) runButton.click();
  });
  tip(seed, "The seed of the pictures on screen. A press puts it into the form.");
  refresh();
  watchServer();
  addSeedButtons();
  followLists();
}

function guard(click) {
  const button = click.target.closest?.("#run, #stop");
  if (!button) return;
  if (isRunning() !== (button.id === "stop")) click.stopImmediatePropagation();
  else if (button.id === "run") {
    if (!begin()) click.stopImmediatePropagation();
  } else if (!isStopping()) stop();
}

function position({ lane, together, step, steps, call, calls, second_call }) {
  const whose = lane === null ? "" : `${(together ?? [lane]).map(letter).join(", ")}: `;
  return `${whose}step ${stepName({ step: step - 1, second_call })} of ${steps}, call ${call} of ${calls}`;
}

// In the queue: how long until its turn.
function waiting({ place, wait }) {
  if (!place) return "";
  if (wait === null || wait === undefined) return "estimating";
  return wait < 90 ? `in about ${Math.ceil(wait)} s` : `in about ${Math.round(wait / 60)} min`;
}

function remaining(seconds) {
  if (seconds === null || seconds === undefined) return "estimating";
  if (seconds < 90) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s left`;
  return `${Math.round(seconds / 60)} min left`;
}

const frameKey = (lane, call, view) => `${lane} ${call} ${view}`;

function approximateFrames(run) {
  const keys = (lane, index) =>
    Object.entries(lane.approximate ?? {}).flatMap(([view, calls]) =>
      calls.map((call) => frameKey(index, call, view)),
    );
  return new Set(run?.lanes.flatMap(keys));
}

function summary(event, left) {
  if (!left.size) return outcome(event);
  const frames = event.run.lanes.reduce((sum, { calls }) => sum + 2 * calls.length, 0);
  return `${outcome(event)}. ${left.size} of ${frames} frames are approximate, by linear colours`;
}

function outcome({ state, message, lane, call, calls, elapsed, run }) {
  const counts = [...new Set(run?.lanes.map((lane) => lane.calls.length) ?? [calls])];
  if (state === "done") {
    const each = run?.lanes.length > 1 ? " per lane" : "";
    const seconds = Number.isFinite(elapsed) ? ` in ${elapsed.toFixed(1)} s` : "";
    const took = `${listed(counts)} calls${each}${seconds}`;
    const what = run?.example ? `Recorded example, ${took}` : took;
    return message ? `${what}. ${message}` : what;
  }
  if (state === "error") return message || "The run broke off";
  if (!call) return "Stopped before the first call";
  const whose = Number.isInteger(lane) ? `, lane ${letter(lane)}` : "";
  return `Stopped after call ${call} of ${calls}${whose}${message ? `. ${message}` : ""}`;
}

// "13, 39 and 20"
function listed(items) {
  const last = items.at(-1);
  return items.length > 1 ? `${items.slice(0, -1).join(", ")} and ${last}` : `${last}`;
}
