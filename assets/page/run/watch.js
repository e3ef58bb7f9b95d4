// Coming back to a run: after a reload, in another tab, on a phone that was asleep, over a connection that
// was cut, after the server's own restart. The server goes on with it meanwhile, for a while.

import { readEvents } from "./event_stream.js";
import { forgetAll, forgetNewest, keepBegun, keepOpened, keepShown, keptRun } from "./kept_run.js";
import { end, isKnown, isRunning, listen, lostRun, open, resumeRun, setFollowed, take } from "./run.js";
import { runId } from "./run_name.js";
import { opensLink } from "../settings/beginning.js";
import { waitForElement } from "../shared/dom.js";
import { runsFetch } from "../shared/runs_api.js";
import { emit, on } from "../shared/signals.js";
import { state } from "../shared/store.js";

const ENDS = ["done", "cancelled", "error"];
const QUIET_MS = 5000; // of a stream that sends every two seconds at least
const AWAKE_MS = 3000; // the same, on a page that was hidden
const RETRY_MS = 1000;
const TRIES = 5;
const FRESH_MS = 10_000; // the age of a click that the server may not know of yet
const TYPED_MS = 60; // until text typed just before a click on Run is part of the form
const GONE = "The last run is gone: the server does not have it any more";
const LOST = "The run is lost: the server does not know it any more";

let watching = 0; // the number of the newest attempt; an older one ends
let heardAt = 0;
let taken = null; // what was come back to before its user deleted it

// Once the page is there: the run that it, or another page of this browser, has begun or shown last. A
// link to settings goes before it.
export async function comeBack() {
  const { newest, shown } = keptRun();
  if (!newest || opensLink) return;
  await Promise.all(["#progress[data-state], #progress [data-state]", "#full_frames [data-ready], #full_frames[data-ready]"].map(waitForElement));
  if (isRunning()) return; // Run was pressed meanwhile
  const isBack = shown && shown.id !== newest.id && (await openEnded(shown));
  if (isRunning() || (await follow(newest, Date.now() - newest.at < FRESH_MS ? 3 : 0))) return;
  if (isRunning() || (await openEnded(newest))) return;
  if (isBack) forgetNewest();
  else forgetAll();
  emit("lost", GONE);
}

// Follow a run to its end; resolves to whether the server knows it. `retries` are for one that it may not
// know yet.
async function follow({ id, form }, retries = 0) {
  const mine = ++watching;
  const left = () => mine !== watching;
  for (;;) {
    const outcome = await followOnce(id, form, left);
    if (left() || outcome === "ended") return true;
    if (outcome === "unknown" && !retries--) {
      setFollowed(false);
      return false;
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    if (left()) return true;
  }
}

async function followOnce(id, form, left) {
  const cut = new AbortController();
  let ended = false;
  let timer = 0;
  function alive() {
    clearTimeout(timer);
    timer = setTimeout(() => cut.abort(), QUIET_MS);
    heardAt = performance.now();
    if (left()) cut.abort();
    else if (isRunning()) listen();
  }
  function receive(event) {
    if (left()) return;
    if (!isRunning() || runId() !== id) resumeRun(id, form);
    setFollowed(true);
    ended = ENDS.includes(event.state);
    take(event);
  }
  alive();
  try {
    const response = await runsFetch(`runs/${id}/events`, { signal: cut.signal });
    if (response.ok) await readEvents(response.body, receive, alive);
    else if (response.status === 404) return "unknown";
  } catch {
    // cut
  }
  clearTimeout(timer);
  return ended ? "ended" : "cut";
}

// The server's answer; asked for again where none comes, or where the server is unable. Null at last.
async function answerTo(path) {
  for (let left = TRIES; left; left--) {
    const response = await runsFetch(path).catch(() => null);
    if (response && response.status < 500) return response;
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
  return null;
}

// Show a run that has ended, from wherever the server has it; resolves to whether it does.
async function openEnded({ id, form }) {
  const mine = watching;
  const response = await answerTo(`runs/${id}`);
  if (!response?.ok) return false;
  const opened = await response.json();
  if (mine !== watching) return true; // Run was pressed meanwhile
  open({ ...opened, form: form ?? opened.settings, again: true });
  return true;
}

// The stream of the run that this page began has ended without an end, or is silent; `event` is how it
// would end.
async function mend(event) {
  const run = { id: runId(), form: formOf(runId()) };
  if ((await follow(run)) || !isRunning() || runId() !== run.id) return;
  if (event) end(event);
  else if (!isKnown()) listen(); // it may still come to the server
  else if (!(await openEnded(run))) end({ state: "error", message: LOST });
}

function wake() {
  if (!document.hidden && isRunning() && performance.now() - heardAt > AWAKE_MS) mend();
}

// The form that a run was made with; null where the page does not know.
const formOf = (id) => Object.values(keptRun()).find((run) => run?.id === id)?.form ?? null;

on("begin", ({ form, again }) => {
  if (again) return;
  watching += 1;
  const id = runId();
  keepBegun(id, form);
  setTimeout(() => keptRun().newest?.id === id && (isRunning() ? keepBegun : keepShown)(id, state.form), TYPED_MS);
});
on("progress", () => (heardAt = performance.now()));
on("end", ({ run, lost }) => {
  if (run) keepShown(runId(), formOf(runId()));
  else if (!lost && runId() === keptRun().newest?.id) forgetNewest();
});
on("opened", ({ id, form, again }) => again || keepOpened(id, form)); // out of the history
on("deleted", (id) => {
  if (isRunning() || keptRun().shown?.id !== id) return;
  taken = keptRun();
  forgetAll();
});
on("restored", (id) => taken?.shown.id === id && !keptRun().newest && keepOpened(id, taken.shown.form));
on("cut", mend);
on("found", async () => {
  const run = { id: lostRun(), form: formOf(lostRun()) };
  if ((await follow(run)) || isRunning() || (await openEnded(run))) return;
  end({ state: "error", message: LOST });
});
document.addEventListener("visibilitychange", wake);
window.addEventListener("pageshow", ({ persisted }) => persisted && wake());
