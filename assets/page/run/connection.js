// Whether the server still answers: a server that has gone cannot tell a waiting page.

import { isRunning } from "./run.js";
import { on } from "../shared/signals.js";
import { set } from "../shared/store.js";

const RUNNING_MS = 1500; // between two requests of a dozen bytes
const IDLE_MS = 10_000;
const PATIENCE_MS = 4000;
const MISSES = 2; // a single one may be the network's fault

let missed = 0;
let timer = 0;

export function watchServer() {
  on("begin", poll);
  document.addEventListener("visibilitychange", () => document.hidden || poll());
  later();
}

function later() {
  clearTimeout(timer);
  timer = setTimeout(poll, isRunning() || missed ? RUNNING_MS : IDLE_MS);
}

async function poll() {
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
