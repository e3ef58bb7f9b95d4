// The history above the pictures: earlier runs as thumbnails, the newest first. A click opens one; the
// chosen one is named, starred and deleted beside them. While there is none, the recorded examples stand
// there, which nobody can change.

import { openExample } from "../examples/first_example.js";
import { isRunning } from "../run/run.js";
import { fileUrl, icon, make } from "../shared/dom.js";
import { runsFetch, sentenceOf } from "../shared/runs_api.js";
import { emit, on } from "../shared/signals.js";
import { follow, state, subscribe } from "../shared/store.js";
import { openTab } from "../tabs/tabs.js";
import { besideExamples, exampleEntries } from "./example_entries.js";
import { openRun } from "./open_run.js";
import { describe, sizeOf, titleOf } from "./run_words.js";

const STAR = "M8 1.8l1.9 4 4.4.6-3.2 3 .8 4.3L8 11.6l-3.9 2.1.8-4.3-3.2-3 4.4-.6z";
const BIN = "M3 4.5h10M6.5 4.5V3h3v1.5M4.5 4.5l.6 8.5h5.8l.6-8.5";
const BROKEN = "M8 4.5v4.2M8 11v.2M8 1.8l6.4 12H1.6z";
const TYPED_MS = 200; // from the last key in the search box to its request
const LATEST_MS = 4000; // after which the list is asked for in any case
const NEAR = 300; // pixels from the end of the list at which more is asked for
const NO_RUNS = { runs: [], after: "", matching: 0, total: 0, bytes: 0, most_bytes: 0 };

export function mount({ element, props }) {
  const find = (query) => element.querySelector(query);
  const [root, list, chosen, name, star, bin] = [
    ".past-runs",
    ".runs",
    ".chosen",
    ".name",
    ".star",
    ".delete",
  ].map(find);
  const [toExamples, quiet] = [".to-examples", ".quiet"].map(find);
  const [said, text, again, query, size, spoken] = [
    ".said",
    ".text",
    ".again",
    ".query",
    ".size",
    "[role=status]",
  ].map(find);

  let runs = []; // those that are listed, or the examples, of which `choice` is the chosen one's id
  let newest = null; // the newest list from the server
  let choice = "";
  let matching = -1; // how many there are of these
  let after = ""; // asks for the next ones
  let asking = null; // the newest request for a list
  let deleted = ""; // the id of a run that the button beside brings back
  let unlisted = false; // could the list not be fetched?
  let timer = 0; // of the search

  // --- requests ----------------------------------------------------------------------------------

  async function ask(path, options) {
    const response = await runsFetch(path, options).catch((error) => {
      throw error.name === "AbortError" ? error : new Error("The server did not answer; try again.");
    });
    if (!response.ok) throw new Error(await sentenceOf(response));
    return response.json();
  }

  async function refresh(more = false) {
    if (!props.kept) return show(NO_RUNS);
    asking?.abort();
    const request = (asking = new AbortController());
    const asked = new URLSearchParams({ q: query.value, after: more ? after : "" });
    try {
      const page = await ask(`runs?${asked}`, { signal: request.signal });
      if (request !== asking) return;
      if (unlisted) say("");
      unlisted = false;
      show(page, more);
    } catch (error) {
      if (error.name === "AbortError") return;
      unlisted = true;
      say(error.message);
    } finally {
      if (request === asking) asking = null;
    }
  }

  async function change(options, path = "") {
    try {
      return await ask(`runs/${encodeURIComponent(choice)}${path}`, options);
    } catch (error) {
      say(error.message);
      return null;
    }
  }

  const mark = (marks) =>
    change({ method: "POST", body: JSON.stringify(marks), headers: { "content-type": "application/json" } });

  // --- drawing -----------------------------------------------------------------------------------

  function show(page, more) {
    newest = page;
    const focused = list.contains(document.activeElement) ? document.activeElement.dataset.id : "";
    const entries = page.total ? page.runs : exampleEntries(state.examples, fileUrl);
    if (more || !isListed(page, entries)) {
      runs = more ? [...runs, ...entries] : entries;
      after = page.after;
      if (more) list.append(...entries.map(item));
      else list.replaceChildren(...runs.map(item));
    }
    matching = page.matching;
    root.toggleAttribute("data-empty", page.total === 0);
    root.toggleAttribute("data-examples", page.total === 0 && entries.length > 0);
    root.toggleAttribute("data-known", true);
    toExamples.hidden = page.total === 0 || !state.examples.length;
    list.setAttribute("aria-label", page.total || !entries.length ? "Earlier runs" : "Recorded examples");
    showBeside();
    size.textContent = page.total ? `${sizeOf(page.bytes)} of ${sizeOf(page.most_bytes)}` : "";
    size.title = `${page.total} ${page.total === 1 ? "run" : "runs"}. Beyond ${sizeOf(page.most_bytes)} the oldest without a star are removed.`;
    choose(choice || (state.recorded?.id ?? "")); // a reload has brought the run back
    if (focused) list.querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus();
  }

  // Whether these are the runs that the list begins with: they stay as they are under a pointer.
  function isListed(page, entries) {
    return page.matching === matching && JSON.stringify(entries) === JSON.stringify(runs.slice(0, entries.length));
  }

  // The words beside the row: what it is, or where to look in the example on the stage.
  function showBeside() {
    if (!newest) return;
    const isFound = newest.matching > 0 || newest.total === 0;
    const words = newest.total ? ["", ""] : besideExamples(state.examples, state.recorded?.example, props.kept);
    const [head, line] = isFound ? words : ["", "No run has these words."];
    quiet.firstElementChild.textContent = head;
    quiet.lastElementChild.textContent = line;
    quiet.hidden = !head && !line;
    quiet.title = `${head} ${line}`.trim();
  }

  function item(run) {
    const button = make("button", "past-run");
    button.type = "button";
    button.dataset.id = run.id;
    button.tabIndex = -1;
    button.setAttribute("aria-label", describe(run));
    button.title = titleOf(run);
    button.toggleAttribute("data-starred", run.starred);
    button.toggleAttribute("data-problem", Boolean(run.problem));
    if (run.thumbnail) {
      const picture = make("img");
      Object.assign(picture, { src: run.thumbnail, alt: "", draggable: false });
      button.append(picture);
    } else {
      button.append(run.problem ? icon(BROKEN) : make("span", "without", run.labels[0] ?? "run"));
    }
    if (run.starred) button.append(icon(STAR));
    return make("li", "", button);
  }

  function replace(run) {
    runs = runs.map((each) => (each.id === run.id ? run : each));
    const old = buttonOf(run.id);
    const focused = old === document.activeElement;
    old?.parentElement.replaceWith(item(run));
    choose(choice);
    if (focused) buttonOf(run.id).focus();
  }

  const buttonOf = (id) => list.querySelector(`[data-id="${CSS.escape(id)}"]`);
  const buttons = () => [...list.querySelectorAll(".past-run")];

  // Mark a run as the chosen one: its name, star and deletion are beside the list.
  function choose(id) {
    const run = runs.find((each) => each.id === id);
    const isNew = run && id !== choice;
    choice = run ? id : "";
    for (const button of buttons()) {
      if (button.dataset.id === choice) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
    const entry = buttonOf(choice) ?? buttons()[0];
    if (entry && !list.querySelector("[tabindex='0']")) entry.tabIndex = 0;
    chosen.hidden = !run || Boolean(run.isExample);
    if (chosen.hidden) return;
    if (document.activeElement !== name) name.value = run.name;
    name.title = run.name;
    chosen.toggleAttribute("data-problem", Boolean(run.problem)); // it can only be deleted
    star.setAttribute("aria-pressed", run.starred);
    if (isNew) reveal(buttonOf(id));
  }

  // Scroll the row, and nothing else, until a run is in sight beside what stands over its end.
  function reveal(button) {
    const over = getComputedStyle(chosen).position === "sticky" ? chosen.offsetWidth : 0;
    for (const row of [list, root]) {
      const { left, right } = row.getBoundingClientRect();
      const place = button.getBoundingClientRect();
      if (place.left < left) row.scrollLeft += place.left - left;
      else if (place.right > right - over) row.scrollLeft += place.right - right + over;
    }
  }

  function say(sentence, undo = "") {
    text.textContent = spoken.textContent = sentence;
    text.title = sentence;
    deleted = undo;
    again.hidden = !undo;
    said.toggleAttribute("data-wrong", Boolean(sentence) && !undo);
    root.toggleAttribute("data-saying", Boolean(sentence));
    if (sentence) root.scrollLeft = 0; // on a phone a sentence is in front of the runs
  }

  // --- what a user does --------------------------------------------------------------------------

  async function openChosen(id) {
    say("");
    choose(id);
    const { problem, isExample } = runs.find((each) => each.id === id);
    if (problem) return say(problem.replace(/^[0-9a-f]{32}(?= )/, "This run")); // as its folder is called
    try {
      const opened = await (isExample ? openExample : openRun)(id);
      if (opened) say(opened.notes.join(" "));
      const run = runs.find((each) => each.id === id);
      if (opened && run) spoken.textContent = `Opened: ${describe(run)}`;
    } catch (error) {
      say(error.message);
    }
  }

  async function remove() {
    const id = choice;
    const at = runs.findIndex((each) => each.id === id);
    if (at < 0 || !(await change({ method: "DELETE" }))) return;
    const focused = chosen.contains(document.activeElement) || list.contains(document.activeElement);
    runs.splice(at, 1);
    buttonOf(id)?.parentElement.remove();
    choose("");
    say("Deleted.", id);
    emit("deleted", id);
    if (focused) again.focus();
    refresh();
  }

  async function restore() {
    const id = deleted;
    try {
      await ask(`runs/${encodeURIComponent(id)}/restore`, { method: "POST" });
    } catch (error) {
      return say(error.message);
    }
    say("");
    emit("restored", id);
    await refresh();
    choose(id);
    move(buttonOf(id));
    spoken.textContent = "The run is back.";
  }

  function move(button) {
    if (!button) return;
    list.querySelectorAll("[tabindex='0']").forEach((each) => (each.tabIndex = -1));
    button.tabIndex = 0;
    button.focus();
    reveal(button);
  }

  list.addEventListener("click", ({ target }) => {
    const button = target.closest(".past-run");
    if (button) openChosen(button.dataset.id);
  });
  list.addEventListener("keydown", (key) => {
    const all = buttons();
    const at = all.indexOf(document.activeElement);
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[key.key];
    if (next !== undefined) {
      key.preventDefault();
      move(all[next]);
    } else if (key.key === "Delete" && at >= 0 && !runs[at].isExample) {
      choose(all[at].dataset.id);
      remove();
    }
  });
  list.addEventListener("focusin", ({ target }) => target.matches(".past-run") && target.tabIndex && move(target));
  const nearEnd = ({ currentTarget: row }) => {
    const left = row.scrollWidth - row.scrollLeft - row.clientWidth;
    if (after && !asking && left < NEAR) refresh(true);
  };
  for (const row of [list, root]) row.addEventListener("scroll", nearEnd); // on a phone the whole row scrolls
  list.addEventListener("wheel", (wheel) => {
    if (!wheel.deltaY || wheel.shiftKey || list.scrollWidth <= list.clientWidth) return;
    wheel.preventDefault(); // a wheel without a second axis moves along the row
    list.scrollLeft += wheel.deltaY;
  }, { passive: false });
  name.addEventListener("change", async () => {
    const given = name.value;
    const run = await mark({ name: given });
    if (!run) return;
    if (run.id === choice && name.value === given) name.value = run.name; // as the server writes it
    replace(run);
    spoken.textContent = run.name ? `Named ${run.name}.` : "The name is removed.";
  });
  name.addEventListener("keydown", (key) => {
    if (key.key === "Escape") name.value = runs.find((each) => each.id === choice)?.name ?? "";
  });
  star.addEventListener("click", async () => {
    const run = await mark({ starred: star.getAttribute("aria-pressed") !== "true" });
    if (run) replace(run);
  });
  bin.addEventListener("click", remove);
  again.addEventListener("click", restore);
  query.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(refresh, TYPED_MS);
  });

  // --- what happens elsewhere --------------------------------------------------------------------

  on("begin", () => {
    choose("");
    say("");
  });
  on("opened", ({ id }) => choose(id));
  on("taken", async (id) => {
    query.value = "";
    await refresh();
    choose(id);
  });
  on("end", async ({ run }) => {
    if (!deleted) say(""); // such as that nothing is opened during a run
    if (!run) return;
    await refresh();
    choose(run.id ?? "");
  });
  follow("examples", ({ examples }) => {
    if (newest) show(newest);
    else if (examples.length && window.samplerExplorerFirst) show(NO_RUNS); // nothing is kept of who is new
  });
  subscribe("recorded", showBeside);
  toExamples.addEventListener("click", () => {
    openTab("learn", { focus: true });
    emit("subject", "examples");
  });
  subscribe("connected", ({ connected }) => connected && refresh());
  subscribe("run", () => root.toggleAttribute("data-running", isRunning()));
  document.addEventListener("visibilitychange", () => document.hidden || refresh()); // another tab may have run
  star.append(icon(STAR));
  bin.append(icon(BIN));
  pageIsThere().then(() => refresh());
}

// The page's own load comes first: its plot is the last to be there.
function pageIsThere() {
  return new Promise((resolve) => {
    if (state.plotDrawn || state.plotFailed) return resolve();
    const end = subscribe(["plotDrawn", "plotFailed"], () => resolve(end()));
    setTimeout(resolve, LATEST_MS);
  });
}
