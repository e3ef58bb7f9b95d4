// The legend: a key for each lane and one for each kind of mark. A click hides what it stands for; under
// the pointer or focused, a lane's key dims the other lanes.

import { make } from "../shared/dom.js";
import { laneKey, letter } from "../shared/names.js";
import { emit } from "../shared/signals.js";
import { follow, set, state, subscribe } from "../shared/store.js";

// What each kind looks like on the plot, on 18 by 10, and its name here.
const DRAWINGS = {
  line: "M1 5h16M6.5 5a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0-5 0",
  midpoint: "M9 1l4 4-4 4-4-4z",
  "second call": "M9 1l4 4-4 4-4-4z",
  "sigma down": "M2 1l14 8",
  "sigma up": "M9 1v8",
  "sigma hat": "M9 1v8M5 5h8",
  "new since the start": "M1 5h16",
};
const DOTTED = ["sigma up", "new since the start"];
const NAMES = { "sigma down": "down", "sigma up": "up (noise)" };

export function makeKeys(element) {
  const lanes = element.querySelector(".lane-keys");
  const marks = element.querySelector(".mark-keys");

  function toggle(part, one) {
    const now = state.hidden[part];
    const next = now.includes(one) ? now.filter((each) => each !== one) : [...now, one];
    set({ hidden: { ...state.hidden, [part]: next } });
  }

  function laneButton(label, lane) {
    const button = keyButton("line", letter(lane), `lane-${laneKey(lane)}`);
    button.dataset.lane = lane;
    button.dataset.tip = "plot.lane";
    button.setAttribute("aria-label", `Lane ${letter(lane)}, ${label}`);
    button.addEventListener("click", () => toggle("lanes", lane));
    for (const comes of ["pointerenter", "focus"]) button.addEventListener(comes, () => emit("dim", { but: lane }));
    for (const goes of ["pointerleave", "blur"]) button.addEventListener(goes, () => emit("dim", { but: -1 }));
    return button;
  }

  function markButton(kind) {
    const button = keyButton(kind in DRAWINGS ? kind : "line", NAMES[kind] ?? kind);
    button.dataset.kind = kind;
    button.dataset.tip = `mark.${kind.replaceAll(" ", "_")}`;
    button.addEventListener("click", () => toggle("kinds", kind));
    return button;
  }

  function press() {
    for (const button of lanes.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", !state.hidden.lanes.includes(Number(button.dataset.lane)));
    }
    for (const button of marks.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", !state.hidden.kinds.includes(button.dataset.kind));
    }
  }

  // Before the plot is drawn: they take their room at once, and nothing moves when it is.
  follow(["curves", "plotFailed"], ({ curves, plotFailed }) => {
    renew(lanes, curves?.labels ?? [], laneButton);
    renew(marks, plotFailed ? [] : (curves?.kinds ?? []), markButton);
  });
  subscribe("hidden", press);

  // Buttons are made anew only where they would be others: the focus stays.
  function renew(list, entries, makeButton) {
    const now = JSON.stringify(entries);
    if (list.dataset.now === now) return;
    list.dataset.now = now;
    const focused = [...list.querySelectorAll("button")].indexOf(document.activeElement);
    list.replaceChildren(...entries.map((entry, at) => make("li", "", makeButton(entry, at))));
    if (focused >= 0) list.querySelectorAll("button")[focused]?.focus();
    press();
  }
}

function keyButton(kind, name, className = "") {
  const space = "http://www.w3.org/2000/svg";
  const [drawing, line] = ["svg", "path"].map((tag) => document.createElementNS(space, tag));
  drawing.setAttribute("viewBox", "0 0 18 10");
  drawing.setAttribute("aria-hidden", "true");
  line.setAttribute("d", DRAWINGS[kind]);
  if (DOTTED.includes(kind)) line.setAttribute("stroke-dasharray", "2 2");
  drawing.append(line);
  const button = make("button", `key ${className}`.trim(), drawing, make("span", "", name));
  button.type = "button";
  return button;
}
