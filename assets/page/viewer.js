// The lanes' pictures: live while a run goes on, then every recorded call under the scrubber.

import { Film, paintPreview } from "./film.js";
import { makePane } from "./pane.js";
import { isRunning, receive } from "./run.js";
import { LANES, emit, on, stepName } from "./store.js";

const CALLS_PER_SECOND = 12;
const LONGEST_PLAY_S = 10;

export function mount({ element, props, watch }) {
  const viewer = element.querySelector(".viewer");
  const range = element.querySelector("input[type=range]");
  const play = element.querySelector(".play");
  const where = element.querySelector("output");
  const panes = LANES.map((lane) => makePane(element, lane));

  let plan = []; // what the run that goes on will call, by lane
  let films = []; // what a run recorded, by lane
  let cursor = []; // the call on screen, by lane
  let drawn = 0; // the animation frame that will draw, 0 while none is asked for
  let playing = 0;

  const chosen = (name) => element.querySelector(`input[name=${name}]:checked`).value;

  // Move to a call of one lane; the others follow by step or by sigma.
  function seek(call, lead = 0) {
    if (!films.length) return;
    const sigma = films[lead].calls[call].sigma;
    cursor = films.map((film, lane) =>
      lane === lead || chosen("align") === "step"
        ? Math.min(call, film.calls.length - 1)
        : nearest(film.calls, sigma),
    );
    range.value = cursor[0];
    emit("cursor", { calls: cursor, points: cursor.map((at, lane) => films[lane].calls[at]) });
    drawn ||= requestAnimationFrame(draw);
  }

  function draw() {
    drawn = 0;
    const view = chosen("view");
    films.forEach((film, lane) => {
      film.draw(panes[lane].canvas, view, cursor[lane]);
      panes[lane].show(film, cursor[lane], view);
    });
    const { step, half } = films[0].calls[cursor[0]];
    const text = `step ${stepName({ step, half })}, call ${cursor[0] + 1} of ${films[0].calls.length}`;
    where.textContent = text;
    range.setAttribute("aria-valuetext", text);
  }

  function setPlaying(on) {
    cancelAnimationFrame(playing);
    playing = 0;
    play.setAttribute("aria-pressed", on);
    play.setAttribute("aria-label", on ? "Pause" : "Play");
    if (!on) return;
    const last = films[0].calls.length - 1;
    const first = cursor[0] < last ? cursor[0] : 0;
    const speed = Math.max(CALLS_PER_SECOND, last / LONGEST_PLAY_S) / 1000;
    const began = performance.now();
    const tick = (now) => {
      const call = Math.min(last, first + Math.floor(Math.max(0, now - began) * speed));
      if (call !== cursor[0]) seek(call);
      if (call === last) setPlaying(false);
      else playing = requestAnimationFrame(tick);
    };
    playing = requestAnimationFrame(tick);
  }

  function enable(on) {
    viewer.toggleAttribute("data-scrubbing", on);
    for (const control of element.querySelectorAll("input[type=range], .play, fieldset")) {
      control.disabled = !on;
    }
  }

  function begin() {
    plan = [];
    setPlaying(false);
    enable(false);
    viewer.toggleAttribute("data-waiting", true);
  }

  function progress(event) {
    if (event.plan) plan = event.plan;
    if (!event.call || !plan.length) return;
    viewer.removeAttribute("data-empty");
    viewer.removeAttribute("data-waiting");
    close();
    where.textContent = "";
    cursor = plan.map(({ calls }, lane) => reached(event, lane, calls.length));
    panes.forEach((pane, lane) => {
      pane.show(plan[lane], cursor[lane], "denoised");
      if (event.previews[lane]) paintPreview(pane.canvas, event.previews[lane]);
    });
    Object.assign(range, { max: plan[0].calls.length - 1, value: cursor[0] });
    emit("cursor", { calls: cursor, points: cursor.map((at, lane) => plan[lane].calls[at]) });
  }

  function end({ run }) {
    viewer.removeAttribute("data-waiting");
    if (run) open(run);
    enable(films.length > 0);
  }

  function open(run) {
    close();
    viewer.removeAttribute("data-empty");
    films = run.lanes.map((lane) => new Film(lane));
    range.max = films[0].calls.length - 1;
    fetchFrames(films);
    seek(films[0].calls.length - 1);
  }

  // The scrubber works meanwhile: numbers and rings at once, pictures when they are here.
  async function fetchFrames(opened) {
    viewer.toggleAttribute("data-fetching", true);
    const failed = await Promise.all(opened.map((film) => film.load())).catch((error) => error);
    if (opened !== films) return;
    viewer.removeAttribute("data-fetching");
    seek(cursor[0]);
    if (failed instanceof Error) where.textContent = "the frames could not be fetched";
  }

  function close() {
    films.forEach((film) => film.close());
    films = [];
  }

  range.addEventListener("input", () => {
    setPlaying(false);
    seek(range.valueAsNumber);
  });
  range.addEventListener("keydown", (key) => {
    if (key.key !== " ") return;
    key.preventDefault();
    setPlaying(!playing);
  });
  play.addEventListener("click", () => setPlaying(!playing));
  element.addEventListener("change", (change) => {
    if (change.target.type === "radio" && films.length) seek(cursor[0]);
  });
  on("settings", ({ labels }) => {
    if (!films.length && !isRunning()) labels?.forEach((label, lane) => panes[lane].name(label));
  });
  on("begin", begin);
  on("progress", progress);
  on("end", end);
  on("seek", ({ call, lane }) => {
    if (isRunning()) return;
    setPlaying(false);
    seek(call, lane);
  });
  watch("value", () => receive(props.value));
}

// The last call that a lane made; lanes that run one after the other say whose turn it is.
function reached({ lane, call }, own, calls) {
  if (lane === null || lane === own) return call - 1;
  return lane > own ? calls - 1 : 0;
}

function nearest(calls, sigma) {
  const distance = (call) => Math.abs(Math.log(call.sigma / sigma));
  return calls.reduce((best, call, at) => (distance(call) < distance(calls[best]) ? at : best), 0);
}
