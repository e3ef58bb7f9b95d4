// One lane's picture and the numbers beside it.

import { setHidden, setText } from "../shared/dom.js";
import { stepName } from "../shared/names.js";

const GREY = 128;
const LONG = 100; // calls, whose number fills a phone's line
const FAINT = 72; // the largest alpha of the noise, of 255

// `enlarge()` is called when the picture is to be seen in full size.
export function makePane(element, lane, enlarge) {
  const copy = element.querySelector("template").content.cloneNode(true);
  const pane = copy.querySelector(".pane");
  pane.classList.add(`lane-${lane}`);
  pane.setAttribute("aria-label", `Lane ${lane.toUpperCase()}`);
  pane.querySelector(".chip").textContent = lane.toUpperCase();
  element.querySelector(".panes").append(copy);

  const canvas = pane.querySelector("canvas");
  const approximate = pane.querySelector(".approximate");
  const broken = pane.querySelector(".broken");
  const button = pane.querySelector(".enlarge");
  const facts = pane.querySelector("dl");
  button.setAttribute("aria-label", `Enlarge the picture of lane ${lane.toUpperCase()}`);
  button.addEventListener("click", enlarge);

  function clear() {
    placeholder(canvas);
    approximate.hidden = broken.hidden = true;
    button.disabled = true;
    canvas.setAttribute("aria-label", `Lane ${lane.toUpperCase()}: no picture yet`);
  }

  function name(label) {
    setText(pane.querySelector(".name"), label);
  }

  clear();

  return {
    canvas,
    name,
    remove: () => pane.remove(),
    clear,
    blank: () => placeholder(canvas),
    markApproximate: (is) => setHidden(approximate, !is),
    say(sentence) {
      setText(broken, sentence);
      setHidden(broken, !sentence);
    },
    // `at` is -1 before the lane's first call.
    show(made, at, view) {
      const call = made.calls[at];
      name(made.label);
      fillFacts(facts, made, at);
      button.disabled = !call;
      canvas.setAttribute("aria-label", `${made.label}, ${view}, step ${call ? stepName(call) : "0"}`);
    },
  };
}

export function fillFacts(list, { calls, steps, planned = calls.length }, at) {
  const place = (name) => list.querySelector(`[data-fact=${name}]`);
  const fact = (name, text) => setText(place(name), text);
  const part = (name, text, of) => [text, of].forEach((each, index) => setText(place(name).children[index], each));
  const call = calls[at];
  part("call", at + 1, ` of ${planned}`);
  part("step", call ? stepName(call) : "0", steps ? ` of ${steps}` : "");
  list.toggleAttribute("data-long", planned >= LONG);
  fact("sigma", call ? round(call.sigma) : "");
  fact("timestep", call ? tenths(call.timestep) : "");
}

// Where there is no picture: faint noise, the same in every lane, as a run starts.
export function placeholder(canvas) {
  canvas.removeAttribute("data-pixels");
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
