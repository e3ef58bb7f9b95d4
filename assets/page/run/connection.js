// Whether the server still answers: a page that waits for one that has gone cannot be told.

import { isRunning } from "./run.js";
import { on } from "../shared/signals.js";
import { set } from "../shared/store.js";

const RUNNING_MS = 1500; // between two questions; each costs the server a dozen bytes
const IDLE_MS = 10_000;
const PATIENCE_MS = 4000;
const MISSES = 2; // one alone may be the network's

let missed = 0;
let timer = 0;

export function watchServer() {
  on("begin", look);
  document.addEventListener("visibilitychange", () => document.hidden || look());
  later();
}

function later() {
  clearTimeout(timer);
  timer = setTimeout(look, isRunning() || missed ? RUNNING_MS : IDLE_MS);
}

async function look() {
  clearTimeout(timer);
  if (!document.hidden) count(await answers());
  later();
}

function count(answered) {
  missed = answered ? 0 : missed + 1;
  set({ connected: missed < MISSES });
}

async function answers() {
  const { root, api_prefix } = window.gradio_config;
  try {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    return (await fetch(`${root}${api_prefix}/app_id`, { signal, cache: "no-store" })).ok;
  } catch {
    return false;
  }
}
