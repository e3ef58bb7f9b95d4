// The tab Table: a row a model call, of one lane or of all side by side. It follows the cursor and moves it.

import { makeA1111 } from "./a1111.js";
import { makeCopying } from "./copying.js";
import { makeGrid } from "./grid.js";
import { isOther, shownTable } from "./tables.js";
import { lanesOnScreen } from "../run/run.js";
import { laneLetter, make } from "../shared/dom.js";
import { letter } from "../shared/names.js";
import { emit } from "../shared/signals.js";
import { follow, state, subscribe } from "../shared/store.js";

const ALL = -1; // in place of a lane

export function mount({ element }) {
  const find = (name) => element.querySelector(name);
  const choice = find(".whose-lane");
  let lane = 0; // that is shown, or ALL
  let lanes = []; // of the table
  let isDue = false; // has it changed while its tab was not shown?

  const shown = () => (lane === ALL ? [...lanes.keys()] : [Math.min(lane, lanes.length - 1)]);
  const isRunShown = () => state.cursor.points.length > 0;
  const grid = makeGrid(element, { seek });
  const a1111 = makeA1111(element, () => !isOther(state));
  makeCopying(element, () => ({ lanes, shown: shown() }));

  // One lane or all; a single lane needs no choice.
  function drawChoice() {
    const now = JSON.stringify(lanes.map(({ label }) => label));
    if (choice.dataset.now === now) return;
    choice.dataset.now = now;
    if (lane >= lanes.length) lane = lanes.length > 1 ? ALL : 0;
    const options = [...lanes.keys(), ...(lanes.length > 1 ? [ALL] : [])];
    choice.replaceChildren(choice.querySelector("legend"), ...options.map(option));
    choice.hidden = lanes.length < 2;
  }

  function option(value) {
    const box = Object.assign(make("input"), { type: "radio", name: "table_lane", value, checked: value === lane });
    const name = make("span", "", ...(value === ALL ? ["side by side"] : [laneLetter(value), ` ${lanes[value].label}`]));
    box.setAttribute("aria-label", value === ALL ? "all lanes side by side" : `lane ${letter(value)}, ${lanes[value].label}`);
    box.addEventListener("change", () => {
      lane = value;
      draw();
    });
    return make("label", "", box, name);
  }

  function draw() {
    isDue = Boolean(element.closest("[inert]"));
    if (isDue) return;
    const isOfRun = isOther(state);
    lanes = shownTable();
    find(".whose").hidden = !isOfRun;
    drawChoice();
    if (!lanes.length) return;
    a1111.show();
    grid.draw(lanes, shown(), isOfRun ? [] : (state.curves?.a1111 ?? []));
    mark();
  }

  function appear() {
    if (isDue) draw();
    grid.bring();
  }

  function mark() {
    if (isRunShown()) grid.mark(state.cursor.calls);
    else grid.unmark();
  }

  // A call that was made is shown; of a run that is not there only its row is chosen.
  function seek(call, of) {
    const calls = lanesOnScreen()[of]?.calls.length ?? 0;
    if (isRunShown() && call < calls) emit("seek", { call, lane: of });
    return !isRunShown();
  }

  follow("answer", ({ answer }) => element.toggleAttribute("data-stale", !answer.figure));
  follow(["curves", "key", "plan", "recorded"], () => state.curves && draw());
  let wasOther = false;
  subscribe("cursor", () => {
    if (isOther(state) !== wasOther) {
      wasOther = !wasOther;
      draw();
    } else mark();
  });
  subscribe("tab", ({ tab }) => tab === "table" && requestAnimationFrame(appear)); // as soon as it is shown
  follow("lanes", () => a1111.show());
}
