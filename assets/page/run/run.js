// One run after the other: what the page knows of it, from the click on Run to its last event.

import { made } from "../viewer/align.js";
import { emit, explorer, on } from "../shared/store.js";

const ENDS = ["done", "cancelled", "error"];
const APPLIED_MS = 100; // until Gradio has put what came with the model into the form
const LOST = "The connection to the server is lost; the settings here are kept";
const SILENCE_MS = 60_000; // of a server that speaks at least twice a second

let plan = []; // of the run that goes on: each lane's label, steps and calls
let stopping = false;
let watchdog = 0;
let pending = ""; // how far a model is that the form will be filled for
let held = false; // Run was pressed meanwhile
let lost = false; // has the server gone?
let before = null; // the state to return to when a run ends before it began

export const isRunning = () => explorer.state === "running";
export const isStopping = () => stopping;

// Begin a run; false where it must wait for a model, after which it begins by itself.
export function begin() {
  before = { ...explorer };
  stopping = false;
  plan = [];
  held = pending !== "";
  Object.assign(explorer, { state: "running", call: 0, calls: 0, frame: -1 });
  emit("begin");
  if (held) wait();
  else listen();
  return !held;
}

// A server that has gone cannot say so.
function listen() {
  clearTimeout(watchdog);
  watchdog = setTimeout(() => end({ state: "error", message: "The server is silent" }), SILENCE_MS);
}

export function stop() {
  if (held) return end({ state: "cancelled" });
  stopping = true;
  emit("progress", { state: "running", message: "Stopping" });
}

// Called with every value that the server gives the viewer.
export function receive(event) {
  if (!event) return;
  if (event.plan) plan = event.plan;
  if (event.calls) Object.assign(explorer, { call: event.call, calls: event.calls });
  if (ENDS.includes(event.state)) return end(event);
  explorer.state = "running";
  listen();
  emit("progress", event.call && plan.length ? { ...event, ...reach(event) } : event);
  // Stop was pressed before the server knew of the run: say it again, now that it does.
  if (stopping) document.querySelector("#stop").click();
}

// What news of a call says of every lane: the calls that each has made, and their share of all.
function reach(event) {
  const calls = made(plan, event);
  const sum = (counts) => counts.reduce((total, count) => total + count, 0);
  const group = plan[event.lane ?? 0].group;
  const together = [...plan.keys()].filter((lane) => plan[lane].group === group);
  return { made: calls, fraction: sum(calls) / sum(plan.map((lane) => lane.calls.length)), together };
}

function end(event) {
  clearTimeout(watchdog);
  stopping = held = false;
  if (!event.run && before) Object.assign(explorer, { frame: before.frame });
  explorer.state = event.state;
  emit("end", event);
}

on("model", ({ waits, loading, problem }) => {
  pending = waits ? loading : "";
  if (!held) return;
  if (pending) wait();
  else if (problem) end({ state: "error", message: problem });
  else setTimeout(goOn, APPLIED_MS);
});

const wait = () => emit("progress", { state: "running", message: pending });

function goOn() {
  if (!held) return;
  Object.assign(explorer, before);
  document.querySelector("#run").click();
}

// An error goes with its cause: the settings that were refused, a server that was away.
function rest() {
  if (explorer.state !== "error" || lost) return;
  explorer.state = "idle";
  emit("rest");
}

on("unrefused", rest);
on("connection", (connected) => {
  lost = !connected;
  if (connected) return rest();
  if (isRunning()) return end({ state: "error", message: LOST });
  explorer.state = "error";
  emit("lost", LOST);
});

on("cursor", ({ calls }) => {
  explorer.frame = calls[0];
});
