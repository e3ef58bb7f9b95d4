// The component of the lanes: holds their settings, sends them to the server, and applies changes.

import { readAsBase64 } from "./controls.js";
import { dragNumbers } from "./drag.js";
import { columnsOf, nextColumn } from "./fields.js";
import { place, showProblems } from "./problems.js";
import { laneKey, letter } from "../shared/names.js";
import { on } from "../shared/signals.js";
import { follow, set as share } from "../shared/store.js";
import { makeTable } from "./table.js";

const SEND_AFTER_MS = 0; // all changes of one event are one update: Gradio keeps only the last of several
const NUMBERS = ["No", "One", "Two", "Three", "Four", "Five", "Six"];

export function mount({ element, props, watch, server }) {
  const { spec } = props;
  const same = element.querySelector("#same");
  const add = element.querySelector(".add");
  const spoken = element.querySelector("[role=status]");
  const table = makeTable(element.querySelector(".lane-table"), spec, { set, remove, reset, read });
  let state = plain(props.value);
  let modelDefaults = {}; // the model's configuration, by field
  let filled = 0; // the newest revision of a model that was filled in
  let timer = 0;

  // --- to the server -----------------------------------------------------------------------------

  function changed() {
    table.refresh(state, modelDefaults);
    publish();
    timer ||= setTimeout(send, SEND_AFTER_MS);
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
    redraw(`Lane ${letter(state.lanes.length - 1)} added.`);
    element.querySelector(".lane-heads").lastElementChild.scrollIntoView({ block: "nearest", inline: "nearest" });
  });

  function remove(lane) {
    // Under "same" lane A has the settings that all share.
    if (lane === 0 && state.same) state.lanes[1] = columnsOf(state)[1];
    state.lanes.splice(lane, 1);
    redraw(`Lane ${letter(lane)} removed.`);
    const left = element.querySelectorAll(".lane-heads .remove");
    (left[Math.min(lane, left.length - 1)] ?? add).focus();
  }

  function reset(lane) {
    Object.assign(state.lanes[lane], modelDefaults);
    spoken.textContent = `Lane ${letter(lane)} has the model's defaults.`;
    changed();
    element.querySelectorAll(".lane-heads .head")[lane].querySelector(".remove")?.focus();
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
    table.refresh(state, modelDefaults);
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
  element.addEventListener("focusout", () => setTimeout(() => table.refresh(state, modelDefaults)));

  table.draw(state);
  takeModel();
  redraw();
  follow("curves", ({ curves }) => table.hint(curves.placeholders));
  follow("answer", ({ answer }) => {
    answer.problems.forEach(({ control }) => control && table.reveal(control));
    showProblems();
    table.refresh(state, modelDefaults); // a row may have been shown only for its sentence
  });
  dragNumbers(document.querySelector("#settings"));
}

// The component's value without Gradio's reactive proxies.
const plain = (value) => JSON.parse(JSON.stringify(value));
