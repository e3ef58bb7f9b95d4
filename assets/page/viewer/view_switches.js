// Which view is on screen and which lanes are compared: the switches, and signals that ask for others.

import { letter } from "../shared/names.js";
import { on } from "../shared/signals.js";
import { set, state, subscribe } from "../shared/store.js";

const VIEWS = ["denoised", "noisy", "latent", "change"];
const MODES = ["side", "slider", "difference"];

const isLane = (lane) => Number.isInteger(lane) && lane >= 0;

export function mountSwitches(element) {
  const radios = (name) => [...element.querySelectorAll(`input[name=${name}]`)];
  const check = (name, value) => radios(name).forEach((radio) => (radio.checked = radio.value === value));

  element.addEventListener("change", ({ target: { name, value } }) => {
    if (name === "view") set({ view: value });
    if (name === "compare") set({ compare: { ...state.compare, mode: value } });
  });
  on("view", (view) => VIEWS.includes(view) && set({ view }));
  on("compare", ({ mode = state.compare.mode, lanes = state.compare.lanes }) => {
    if (MODES.includes(mode) && lanes.length === 2 && lanes.every(isLane)) set({ compare: { mode, lanes } });
  });
  subscribe("view", ({ view }) => check("view", view));
  subscribe("compare", ({ compare: { mode, lanes } }) => {
    check("compare", mode);
    element.querySelector("input[value=difference] + span").textContent = lanes.map(letter).join("\u2212");
  });

  return {
    // A run that goes on has one view, and one lane has none beside it.
    enable({ views, compare }) {
      radios("view")[0].closest("fieldset").disabled = !views;
      radios("compare")[0].closest("fieldset").disabled = !compare;
    },
  };
}
