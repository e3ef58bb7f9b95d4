// One lane's picture and the numbers beside it.

import { stepName } from "../shared/names.js";

const GREY = 128;
const FAINT = 72; // the largest alpha of the noise, of 255

export function makePane(element, lane) {
  const copy = element.querySelector("template").content.cloneNode(true);
  const pane = copy.querySelector(".pane");
  pane.classList.add(`lane-${lane}`);
  pane.setAttribute("aria-label", `Lane ${lane.toUpperCase()}`);
  pane.querySelector(".chip").textContent = lane.toUpperCase();
  element.querySelector(".panes").append(copy);

  const canvas = pane.querySelector("canvas");
  const approximate = pane.querySelector(".approximate");
  const fact = (name) => pane.querySelector(`[data-fact=${name}]`);

  function clear() {
    placeholder(canvas);
    approximate.hidden = true;
    canvas.setAttribute("aria-label", `Lane ${lane.toUpperCase()}: no picture yet`);
  }

  function name(label) {
    pane.querySelector(".name").textContent = label;
  }

  clear();

  return {
    canvas,
    name,
    remove: () => pane.remove(),
    clear,
    markApproximate: (is) => (approximate.hidden = !is),
    // `at` is -1 before the lane's first call.
    show({ label, calls, steps, planned = calls.length }, at, view) {
      const call = calls[at];
      const step = call ? stepName(call) : "0";
      name(label);
      fact("call").textContent = `${at + 1} of ${planned}`;
      fact("step").textContent = steps ? `${step} of ${steps}` : step;
      fact("sigma").textContent = call ? round(call.sigma) : "";
      fact("timestep").textContent = call ? tenths(call.timestep) : "";
      canvas.setAttribute("aria-label", `${label}, ${view}, step ${step}`);
    },
  };
}

// Before the first run: faint noise, the same in every lane, as a run starts.
function placeholder(canvas) {
  const context = canvas.getContext("2d");
  const noise = context.createImageData(canvas.width, canvas.height);
  let random = 1;
  for (let i = 3; i < noise.data.length; i += 4) {
    random = (random * 48271) % 2147483647; // Park and Miller's generator
    noise.data.fill(GREY, i - 3, i);
    noise.data[i] = (random / 2147483647) * FAINT;
  }
  context.putImageData(noise, 0, 0);
}

// Four significant digits, without an exponent for the usual sizes.
const round = (sigma) => (sigma >= 1000 ? sigma.toFixed(0) : sigma.toPrecision(4));
const tenths = (timestep) => (Number.isInteger(timestep) ? timestep : timestep.toFixed(1));
