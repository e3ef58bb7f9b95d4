// One lane's picture and the numbers beside it.

import { stepName } from "./store.js";

export function makePane(element, lane) {
  const copy = element.querySelector("template").content.cloneNode(true);
  const pane = copy.querySelector(".pane");
  pane.classList.add(`lane-${lane}`);
  pane.setAttribute("aria-label", `Lane ${lane.toUpperCase()}`);
  pane.querySelector(".chip").textContent = lane.toUpperCase();
  element.querySelector(".panes").append(copy);

  const canvas = pane.querySelector("canvas");
  const fact = (name) => pane.querySelector(`[data-fact=${name}]`);

  function name(label) {
    pane.querySelector(".name").textContent = label;
  }

  return {
    canvas,
    name,
    clear(label) {
      name(label);
      pane.querySelectorAll("dd").forEach((value) => (value.textContent = "–"));
    },
    show(film, at, view) {
      const call = film.calls[at];
      name(film.label);
      fact("call").textContent = `${at + 1}`;
      fact("step").textContent = stepName(call);
      fact("sigma").textContent = round(call.sigma);
      fact("timestep").textContent = round(call.timestep);
      canvas.setAttribute("aria-label", `${film.label}, ${view}, step ${stepName(call)}`);
    },
  };
}

// Four digits that matter, never an exponent for the sizes that occur.
const round = (number) => (number >= 1000 ? number.toFixed(0) : number.toPrecision(4));
