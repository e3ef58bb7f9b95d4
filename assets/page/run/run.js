// The state of a run on the page, from the click on Run to its last event.

import { callsMade } from "../viewer/align.js";
import { nameRun, runId } from "./run_name.js";
import { emit, on } from "../shared/signals.js";
import { follow, set, state, subscribe } from "../shared/store.js";
import "../shared/readable.js";

const ENDS = ["done", "cancelled", "error"];
const APPLIED_MS = 100; // until Gradio has filled in the model's settings
const LOST = "The connection to the server is lost; the settings here are kept";
const SILENCE_MS = 60_000; // from a server that normally sends every two seconds at least
const QUIET_MS = 5000; // after which the run is asked for in another way

let stopping = false;
let watchdogs = [];
let lost = ""; // the run that went on when the server was lost
let followed = false; // does watch.js follow the run? Then what Gradio still delivers is old
let heard = false; // has the server told of the run?
let pending = ""; // the progress of loading a model whose settings will be filled in
let waiting = false; // Run was pressed meanwhile
let before = null; // what to return to when a run ends before it began: {run, plan, key}

export const isRunning = () => state.run.state === "running";
export const isStopping = () => stopping;

// The calls that can be on screen, by lane: those of a run that goes on, of which the last ones are still to be
// made, or those that were recorded.
export const lanesOnScreen = () => (isRunning() ? state.plan : (state.recorded?.lanes ?? []));

// Begin a run; returns false if it has to wait for a model, and then begins by itself.
export function begin() {
  waiting = pending !== "";
  nameRun();
  rise({ form: state.form, again: false });
  if (waiting) wait();
  else listen();
  return !waiting;
}

// Come back to a run that was made with this form; what is known of it follows.
export function resumeRun(id, form) {
  waiting = false;
  nameRun(id);
  rise({ form, again: true });
  listen();
}

function rise(detail) {
  before = { run: state.run, plan: state.plan, key: state.key };
  lost = "";
  stopping = followed = heard = false;
  set({ plan: [], run: { state: "running", call: 0, calls: 0, frame: -1 } });
  emit("begin", detail);
}

// A server that is gone cannot report it, nor a stream that was cut.
export function listen() {
  watchdogs.forEach(clearTimeout);
  const silent = { state: "error", message: "The server is silent", lost: true };
  watchdogs = [setTimeout(() => end(silent), SILENCE_MS), setTimeout(() => followed || emit("cut"), QUIET_MS)];
}

// Whether the server has told of the run; the run that was lost with the server.
export const isKnown = () => heard;
export const lostRun = () => lost;

// From now on the run's events come from watch.js, or from Gradio again.
export const setFollowed = (is) => (followed = is);

export function stop() {
  if (waiting) return end({ state: "cancelled" });
  stopping = true;
  emit("progress", { state: "running", message: "Stopping" });
}

// Called with every value that the viewer gets from Gradio. The end of its stream may be that of the
// connection: then the server is asked for the run itself.
export function receive(event) {
  if (!event || followed || (event.id && event.id !== runId())) return;
  if (typeof event.plan === "string") event = { ...event, plan: JSON.parse(event.plan) };
  if (event.id || !ENDS.includes(event.state) || !isRunning()) take(event);
  else emit("cut", event);
}

// Called with every event of the run.
export function take(event) {
  heard ||= Boolean(event.id);
  if (event.plan) set({ plan: event.plan });
  if (event.calls) update({ call: event.call, calls: event.calls });
  if (event.key) set({ key: event.key }); // the last event has it too, where a page comes back
  if (ENDS.includes(event.state)) return end(event);
  update({ state: "running" });
  listen();
  emit("progress", event.call && state.plan.length ? { ...event, ...progressOf(event) } : event);
  // Stop was pressed before the server knew of the run: repeat it, now that it does.
  if (stopping) document.querySelector("#stop").click();
}

// The progress of every lane, derived from an event about one call: the calls made, and their share of
// all.
function progressOf(event) {
  const { plan } = state;
  const calls = callsMade(plan, event);
  const sum = (counts) => counts.reduce((total, count) => total + count, 0);
  const group = plan[event.lane ?? 0].group;
  const together = [...plan.keys()].filter((lane) => plan[lane].group === group);
  return { made: calls, fraction: sum(calls) / sum(plan.map((lane) => lane.calls.length)), together };
}

export function end(event) {
  watchdogs.forEach(clearTimeout);
  stopping = waiting = false;
  // The pictures on the stage are still those of the run before: so are their schedules.
  if (!event.run && before) set({ plan: before.plan, key: before.key, run: { ...state.run, frame: before.run.frame } });
  update({ state: event.state });
  if (event.run) set({ recorded: event.run });
  emit("end", event);
}

// Show a run that is over, from the history or after a reload, in place of the newest one; `form` are
// the values that the form is about to be filled with, null where they are not those of the run.
export function open({ result, plan, key, ...event }) {
  const calls = Math.max(0, ...plan.map((lane) => lane.calls.length));
  const call = Math.max(0, ...result.lanes.map((lane) => lane.calls.length));
  watchdogs.forEach(clearTimeout);
  stopping = waiting = false;
  before = null;
  lost = "";
  set({ plan, key, recorded: result, run: { state: event.state, call, calls, frame: -1 } });
  emit("opened", { elapsed: null, lane: null, call, calls, ...event, run: result });
}

const update = (patch) => set({ run: { ...state.run, ...patch } });

follow("model", ({ model: { waits, loading, problem } }) => {
  pending = waits ? loading : "";
  if (!waiting) return;
  if (pending) wait();
  else if (problem) end({ state: "error", message: problem });
  else setTimeout(resume, APPLIED_MS);
});

const wait = () => emit("progress", { state: "running", message: pending });

function resume() {
  if (!waiting) return;
  set({ run: before.run, plan: before.plan });
  document.querySelector("#run").click();
}

// An error is cleared with its cause: settings that were refused, or a lost connection.
function clearError() {
  if (state.run.state !== "error" || !state.connected) return;
  update({ state: "idle" });
  emit("rest");
}

on("refusal cleared", clearError);
subscribe("connected", ({ connected }) => {
  if (connected) return lost ? emit("found") : clearError();
  if (isRunning()) {
    lost = waiting ? "" : runId();
    return end({ state: "error", message: LOST, lost: true });
  }
  update({ state: "error" });
  emit("lost", LOST);
});

subscribe("cursor", ({ cursor }) => update({ frame: cursor.calls[0] }));
