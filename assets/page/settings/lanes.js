// The component of the lanes: holds their settings, sends them to the server, and applies changes.

import { readAsBase64 } from "./controls.js";
import { dragNumbers } from "./drag.js";
import { makeLines } from "./lane_lines.js";
import { columnsOf, nextColumn } from "./fields.js";
import { place, showProblems } from "./problems.js";
import { laneKey, letter } from "../shared/names.js";
import { on } from "../shared/signals.js";
import { follow, set as share, state as page } from "../shared/store.js";
import { waitForElement } from "../shared/dom.js";
import { makeTable } from "./table.js";

const SEND_AFTER_MS = 0; // all changes of one event are one update: Gradio keeps only the last of several
const MANY = 3; // from so many lanes on the sidebar has room for one of them
const NUMBERS = ["No", "One", "Two", "Three", "Four", "Five", "Six"];

export function mount({ element, props, watch, server }) {
  const { spec } = props;
  const same = element.querySelector("#same");
  const add = element.querySelector(".add");
  const spoken = element.querySelector("[role=status]");
  const grid = element.querySelector(".lane-table");
  const elsewhere = element.querySelector(".elsewhere");
  const table = makeTable(grid, spec, { set, remove, reset, read });
  const lines = makeLines(element.querySelector(".lane-lines"), spec.groups, { open, remove });
  let state = plain(props.value);
  let modelDefaults = {}; // the model's configuration, by field
  let filled = 0; // the newest revision of a model that was filled in
  let timer = 0;
  let chosen = 0; // the lane that the sidebar shows, where it shows one
  let wide = false; // is the table in its tab, at full width?

  // --- to the server -----------------------------------------------------------------------------

  function changed() {
    refresh();
    publish();
    timer ||= setTimeout(send, SEND_AFTER_MS);
  }

  function refresh() {
    table.refresh(state, modelDefaults);
    const one = !wide && state.lanes.length >= MANY ? chosen : null;
    table.only(one);
    lines.show(state, modelDefaults, one);
  }

  function send() {
    clearTimeout(timer);
    timer = 0;
    props.value = plain(state);
  }

  function publish() {
    const same = state.same && state.lanes.length > 1;
    share({ lanes: { value: plain(state), columns: columnsOf(state), same, modelDefaults } });
  }

  // --- what a user does --------------------------------------------------------------------------

  function set(lane, field, value) {
    state.lanes[lane][field] = value;
    changed();
  }

  function redraw(announcement = "") {
    const count = state.lanes.length;
    chosen = Math.min(chosen, count - 1);
    table.draw(state);
    same.hidden = count === 1;
    same.firstElementChild.checked = state.same;
    const full = count >= spec.lanes;
    add.setAttribute("aria-disabled", full);
    add.textContent = full ? `${NUMBERS[count] ?? count} lanes are the most` : "Add lane";
    spoken.textContent = announcement;
    changed();
    showProblems(); // the store reports no answer that equals the previous one
  }

  add.addEventListener("click", () => {
    if (state.lanes.length >= spec.lanes) return;
    state.lanes.push(nextColumn(state, spec.samplers, modelDefaults));
    chosen = state.lanes.length - 1;
    redraw(`Lane ${letter(chosen)} added.`);
    if (wide) grid.querySelector(".lane-heads").lastElementChild.scrollIntoView({ block: "nearest", inline: "nearest" });
  });

  // Show a lane's settings, and go to the first of them.
  function open(lane) {
    chosen = lane;
    refresh();
    grid.querySelector(`.cell.lane-${laneKey(lane)} select`)?.focus();
  }

  // The table stands in the tab Lanes while that is open, else in the sidebar.
  async function followTab({ tab }) {
    const panel = await waitForElement("#panel_lanes");
    if (wide === (page.tab === "lanes") || tab !== page.tab) return;
    wide = !wide;
    if (wide) elsewhere.style.height = `${grid.offsetHeight}px`; // nothing below it moves
    elsewhere.hidden = !wide;
    table.moveTo((it) => (wide ? panel.append(it) : elsewhere.after(it)));
    refresh();
  }

  function remove(lane) {
    // Under "same" lane A has the settings that all share.
    if (lane === 0 && state.same) state.lanes[1] = columnsOf(state)[1];
    state.lanes.splice(lane, 1);
    if (chosen > lane) chosen -= 1;
    const inTable = grid.contains(document.activeElement);
    redraw(`Lane ${letter(lane)} removed.`);
    const next = Math.min(lane, state.lanes.length - 1);
    if (inTable) grid.querySelectorAll(".lane-heads .head")[next].querySelector("button:enabled")?.focus();
    else lines.focus(next);
  }

  function reset(lane) {
    const whose = state.same ? 0 : lane;
    Object.assign(state.lanes[whose], modelDefaults);
    spoken.textContent = `Lane ${letter(whose)} has the model's defaults.`;
    changed();
    grid.querySelectorAll(".cell:not([data-away]) select")[0]?.focus(); // the button is disabled now
  }

  same.addEventListener("change", ({ target }) => {
    state.same = target.checked;
    redraw();
  });

  async function read(lane, { name, label }, file) {
    const showProblem = (sentence) => place(`${laneKey(lane)}_${name}`, sentence);
    showProblems(); // of the file before
    if (file.size > spec.files.largest) return showProblem(`${label}: this file is too large.`);
    try {
      const data = await readAsBase64(file);
      const { text, problem } = await server.numbers_of_file({ field: name, name: file.name, data });
      if (problem) return showProblem(problem);
      set(lane, name, text);
    } catch {
      showProblem(`${label}: the file could not be read.`);
    }
  }

  // --- what others ask for -----------------------------------------------------------------------

  function takeModel() {
    const { defaults, fill, revision } = plain(props.model);
    modelDefaults = defaults;
    if (revision > filled) state.lanes.forEach((column) => Object.assign(column, fill));
    filled = revision;
    refresh();
    publish();
    if (revision && Object.keys(fill).length) send(); // a run may be waiting for it
  }

  watch("model", takeModel);
  watch("value", () => {
    const before = state;
    state = plain(props.value);
    const alike = state.lanes.length === before.lanes.length && state.same === before.same;
    if (alike) changed();
    else redraw();
  });
  on("begin", () => timer && send());
  grid.addEventListener("focusout", () => setTimeout(refresh));

  table.draw(state);
  takeModel();
  redraw();
  follow("curves", ({ curves }) => table.hint(curves.placeholders));
  follow("answer", ({ answer }) => {
    answer.problems.forEach(({ control }) => control && table.reveal(control));
    const hidden = answer.problems.map(({ control }) => control && table.awayLane(control));
    if (hidden.length && hidden.every((lane) => lane !== undefined)) chosen = hidden[0];
    showProblems();
    refresh(); // a row may have been shown only for its sentence
  });
  follow("tab", followTab);
  dragNumbers(document.querySelector("#settings"));
  waitForElement("#panel_lanes").then(dragNumbers);
}

// The component's value without Gradio's reactive proxies.
const plain = (value) => JSON.parse(JSON.stringify(value));
