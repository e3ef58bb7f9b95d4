// The lanes' part: holds their settings, tells the server of them, and does what is asked of it.

import { readAsBase64 } from "./controls.js";
import { dragNumbers } from "./drag.js";
import { fillForm } from "./form.js";
import { columnsOf, letter, nextColumn } from "./knobs.js";
import { place, showProblems } from "./problems.js";
import { emit, form, on } from "../shared/store.js";
import { makeTable } from "./table.js";
import { giveTips } from "./tip.js";

const TOLD_AFTER_MS = 0; // what one event changes is one update; Gradio keeps the last of several
const NUMBERS = ["No", "One", "Two", "Three", "Four", "Five", "Six"];

export function mount({ element, props, watch, server }) {
  const { spec } = props;
  const same = element.querySelector("#same");
  const add = element.querySelector(".add");
  const spoken = element.querySelector("[role=status]");
  const fields = new Set(spec.groups.flatMap(({ knobs }) => knobs.map(({ name }) => name)));
  const table = makeTable(element.querySelector(".lane-table"), spec, { set, remove, reset, read });
  let state = plain(props.value);
  let own = {}; // the model's configuration, by field
  let filled = 0; // the newest model's turn
  let timer = 0;

  // --- to the server -----------------------------------------------------------------------------

  function changed() {
    table.refresh(state, own);
    publish();
    timer ||= setTimeout(tell, TOLD_AFTER_MS);
  }

  function tell() {
    clearTimeout(timer);
    timer = 0;
    props.value = plain(state);
  }

  function publish() {
    Object.assign(form, { columns: columnsOf(state), same: state.same && state.lanes.length > 1, own });
    emit("lanes");
  }

  // --- what a user does --------------------------------------------------------------------------

  function set(lane, field, value) {
    state.lanes[lane][field] = value;
    changed();
  }

  function redraw(news = "") {
    const count = state.lanes.length;
    table.draw(state);
    same.hidden = count === 1;
    same.firstElementChild.checked = state.same;
    const full = count >= spec.lanes;
    add.setAttribute("aria-disabled", full);
    add.textContent = full ? `${NUMBERS[count] ?? count} lanes are the most` : "Add lane";
    spoken.textContent = news;
    changed();
    showProblems(); // an answer that says the same again is no news to the page
  }

  add.addEventListener("click", () => {
    if (state.lanes.length >= spec.lanes) return;
    state.lanes.push(nextColumn(state, spec.samplers, own));
    redraw(`Lane ${letter(state.lanes.length - 1)} added.`);
    element.querySelector(".lane-heads").lastElementChild.scrollIntoView({ block: "nearest", inline: "nearest" });
  });

  function remove(lane) {
    // Under "same" lane A holds what all share.
    if (lane === 0 && state.same) state.lanes[1] = columnsOf(state)[1];
    state.lanes.splice(lane, 1);
    redraw(`Lane ${letter(lane)} removed.`);
    const left = element.querySelectorAll(".lane-heads .remove");
    (left[Math.min(lane, left.length - 1)] ?? add).focus();
  }

  function reset(lane) {
    Object.assign(state.lanes[lane], own);
    spoken.textContent = `Lane ${letter(lane)} has the model's defaults.`;
    changed();
    element.querySelectorAll(".lane-heads .head")[lane].querySelector(".remove")?.focus();
  }

  same.addEventListener("change", ({ target }) => {
    state.same = target.checked;
    redraw();
  });

  async function read(lane, { name, label }, file) {
    const told = (sentence) => place(`${"abcdef"[lane]}_${name}`, sentence);
    showProblems(); // of the file before
    if (file.size > spec.files.largest) return told(`${label}: this file is too large.`);
    try {
      const data = await readAsBase64(file);
      const { text, problem } = await server.numbers_of_file({ field: name, name: file.name, data });
      if (problem) return told(problem);
      set(lane, name, text);
    } catch {
      told(`${label}: the file could not be read.`);
    }
  }

  // --- what others ask for -----------------------------------------------------------------------

  function put(lane, values) {
    for (const [field, value] of Object.entries(values)) {
      const all = lane === null || (state.same && field !== "sampler");
      for (const each of all ? state.lanes : [state.lanes[lane]]) if (each) each[field] = value;
    }
  }

  on("apply", ({ lane = null, values }) => {
    const mine = Object.entries(values).filter(([field]) => fields.has(field));
    const others = Object.entries(values).filter(([field]) => !fields.has(field));
    put(lane, Object.fromEntries(mine));
    if (others.length) fillForm({ ...Object.fromEntries(others), lanes: plain(state) });
    else changed();
  });

  function takeModel() {
    const { own: configuration, fill, turn } = plain(props.model);
    own = configuration;
    if (turn > filled) put(null, fill);
    filled = turn;
    table.refresh(state, own);
    publish();
    if (turn && Object.keys(fill).length) tell(); // a run may be waiting for it
  }

  watch("model", takeModel);
  watch("value", () => {
    state = plain(props.value);
    redraw();
  });
  on("begin", () => timer && tell());
  on("settings", ({ problems, placeholders }) => {
    if (placeholders) table.hint(placeholders);
    problems.forEach(({ control }) => control && table.reveal(control));
    showProblems(problems);
    table.refresh(state, own); // a row may have been there for its sentence only
  });
  element.addEventListener("focusout", () => setTimeout(() => table.refresh(state, own)));

  table.draw(state);
  takeModel();
  redraw();
  giveTips(element.querySelector(".lane-table"), element.querySelector(".tip"));
  dragNumbers(document.querySelector("#settings"));
}

// The part's value without the watchers that Gradio's page wraps it in.
const plain = (value) => JSON.parse(JSON.stringify(value));
