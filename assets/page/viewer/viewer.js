// The lanes' pictures: live while a run goes on, then every recorded call under the scrubber.

import { atSigma, atStep, longest } from "./align.js";
import { Bitmaps } from "./bitmaps.js";
import { Film, paintPreview } from "./film.js";
import { makePane } from "./pane.js";
import { playCalls } from "./playing.js";
import { showFirst } from "../examples/first_example.js";
import "../history/zip_files.js";
import "../run/stale.js";
import { isRunning, receive } from "../run/run.js";
import { comeBack } from "../run/watch.js";
import { laneKey, letter, stepName } from "../shared/names.js";
import { emit, on } from "../shared/signals.js";
import { follow, set, state, subscribe } from "../shared/store.js";
import { readable } from "../shared/readable.js";

const AROUND = 12; // calls before and after the one on screen whose large pictures are decoded
const REST_MS = 150; // after which a cursor that has not moved rests

export function mount({ element, props, watch }) {
  const viewer = element.querySelector(".viewer");
  const range = element.querySelector("input[type=range]");
  const play = element.querySelector(".play");
  const where = element.querySelector("output");
  const unequal = element.querySelector(".unequal");
  const unwritten = element.querySelector(".unwritten"); // about frames that the server could not write
  const area = element.querySelector(".panes");
  const panes = []; // one a lane: of the run on screen, of the form before the first one

  let films = []; // what a run recorded, by lane
  let cursor = []; // the call on screen, by lane
  let large = new Bitmaps(() => {}); // the films' pictures in full size
  let sideOnScreen = 0; // of a picture, in pixels of the screen
  let resting = 0; // the timer that will find the cursor at rest
  let drawn = 0; // the animation frame that will draw, 0 while none is asked for
  let playing = null; // stops it

  const chosen = (name) => element.querySelector(`input[name=${name}]:checked`).value;

  function setLanes(count) {
    while (panes.length < count) panes.push(makePane(element, laneKey(panes.length)));
    panes.splice(count).forEach((pane) => pane.remove());
    area.dataset.lanes = count;
  }

  // Move to a call of one lane; the others follow by step or by sigma.
  function seek(call, lead = longest(films)) {
    if (!films.length) return;
    const there = films[lead].calls[call];
    const follow = chosen("align") === "step" ? atStep : atSigma;
    cursor = films.map(({ calls }, lane) => (lane === lead ? call : follow(calls, there)));
    set({ cursor: { calls: cursor, points: cursor.map((at, lane) => films[lane].calls[at]) } });
    range.value = cursor[longest(films)];
    prefetch();
    redraw();
  }

  function prefetch() {
    const keys = around(chosen("view"));
    large.want(keys);
    clearTimeout(resting);
    resting = setTimeout(() => large.want(keys, films.length), REST_MS);
  }

  function draw() {
    drawn = 0;
    const view = chosen("view");
    films.forEach((film, lane) => {
      const full = large.get(keyOf(lane, cursor[lane], view));
      if (cursor[lane] < 0) panes[lane].clear();
      else {
        film.draw(panes[lane].canvas, view, cursor[lane], full);
        panes[lane].markApproximate(film.isApproximate(view, cursor[lane], full));
      }
      panes[lane].show(film, cursor[lane], view);
    });
    const lead = longest(films);
    const { calls, planned } = films[lead];
    const alike = films.every((film) => film.planned === planned && film.calls.length === calls.length);
    const whose = alike ? "" : `${letter(lead)}: `;
    const text = `${whose}step ${stepName(calls[cursor[lead]])}, call ${cursor[lead] + 1} of ${planned}`;
    where.textContent = text;
    range.setAttribute("aria-valuetext", text);
  }

  // The large pictures of the calls on screen, then of those beside them, further and further.
  function around(view) {
    const keys = cursor.map((call, lane) => keyOf(lane, call, view));
    for (let apart = 1; apart <= AROUND; apart++) {
      for (const sign of [1, -1]) {
        cursor.forEach((call, lane) => keys.push(keyOf(lane, call + sign * apart, view)));
      }
    }
    return keys;
  }

  function setPlaying(on) {
    playing?.();
    playing = null;
    play.setAttribute("aria-pressed", on);
    play.setAttribute("aria-label", on ? "Pause" : "Play");
    if (!on) return;
    const lead = longest(films);
    const last = films[lead].calls.length - 1;
    playing = playCalls(cursor[lead] < last ? cursor[lead] : 0, last, (call) => {
      seek(call, lead);
      if (call === last) setPlaying(false);
    });
  }

  function enable(on) {
    viewer.toggleAttribute("data-scrubbing", on);
    for (const control of element.querySelectorAll("input[type=range], .play, fieldset")) {
      control.disabled = !on;
    }
  }

  function begin() {
    unwritten.hidden = true;
    setPlaying(false);
    enable(false);
    viewer.toggleAttribute("data-waiting", true);
  }

  function progress(event) {
    const { plan } = state;
    if (!event.call || !plan.length) return;
    viewer.removeAttribute("data-empty");
    viewer.removeAttribute("data-waiting");
    close();
    where.textContent = "";
    unequal.hidden = true;
    setLanes(plan.length);
    cursor = event.made.map((calls) => calls - 1);
    panes.forEach((pane, lane) => {
      pane.show(plan[lane], cursor[lane], "denoised");
      if (cursor[lane] < 0) pane.clear();
      pane.markApproximate(false);
      if (event.previews[lane]) paintPreview(pane.canvas, event.previews[lane]);
    });
    const lead = longest(plan);
    Object.assign(range, { max: plan[lead].calls.length - 1, value: Math.max(0, cursor[lead]) });
    set({ cursor: { calls: cursor, points: cursor.map((at, lane) => plan[lane].calls[at]) } });
  }

  function end({ run }) {
    viewer.removeAttribute("data-waiting");
    if (run) open(run);
    enable(films.length > 0);
  }

  function reopen({ run }) {
    unwritten.hidden = true;
    setPlaying(false);
    viewer.removeAttribute("data-waiting");
    open(run);
    enable(films.length > 0);
  }

  function open(run) {
    close();
    viewer.removeAttribute("data-empty");
    const { plan } = state;
    films = run.lanes.map((lane, at) => new Film({ ...lane, steps: plan[at]?.steps, planned: plan[at]?.calls.length }));
    setLanes(films.length);
    const last = films[longest(films)].calls.length - 1;
    range.max = last;
    unequal.hidden = films.every(({ calls }) => calls.at(-1)?.step === films[0].calls.at(-1)?.step);
    large = new Bitmaps((key) => isOnScreen(key) && redraw(), () => sideOnScreen);
    fetchFrames(films);
    seek(last);
  }

  function redraw() {
    drawn ||= requestAnimationFrame(draw);
  }

  const isOnScreen = (key) => cursor.some((call, lane) => keyOf(lane, call, chosen("view")) === key);

  // The scrubber works meanwhile: numbers and rings at once, pictures when they are here.
  async function fetchFrames(opened) {
    viewer.toggleAttribute("data-fetching", true);
    const failed = await Promise.all(opened.map((film) => film.load())).catch((error) => error);
    if (opened !== films) return;
    viewer.removeAttribute("data-fetching");
    seek(cursor[longest(films)]);
    if (failed instanceof Error) where.textContent = "the frames could not be fetched";
    const view = chosen("view") === "noisy" ? "noisy" : "denoised";
    emit("frames", { cursor, view }); // those on screen come first
  }

  function close() {
    films.forEach((film) => film.close());
    films = [];
    large.close();
    clearTimeout(resting);
    cancelAnimationFrame(drawn);
    drawn = 0;
  }

  range.addEventListener("input", () => {
    setPlaying(false);
    seek(range.valueAsNumber);
  });
  range.addEventListener("pointerdown", () => range.focus()); // which Safari does not do
  range.addEventListener("keydown", (key) => {
    if (key.key !== " ") return;
    key.preventDefault();
    setPlaying(!playing);
  });
  play.addEventListener("click", () => setPlaying(!playing));
  element.addEventListener("change", (change) => {
    if (change.target.type === "radio" && films.length) seek(cursor[longest(films)]);
  });
  follow("curves", ({ curves: { labels } }) => {
    if (films.length || isRunning()) return;
    setLanes(labels.length);
    labels.forEach((label, lane) => panes[lane].name(label));
  });
  on("full", (frames) => {
    for (const { lane, call, view, file } of frames) large.add(keyOf(lane, call, view), file);
  });
  on("unwritten", (sentence) => {
    unwritten.textContent = sentence;
    unwritten.hidden = false;
  });
  Object.defineProperty(readable, "largeFrames", { get: () => large.stats });
  subscribe("stale", ({ stale }) => viewer.toggleAttribute("data-stale", stale));
  on("begin", begin);
  on("progress", progress);
  on("end", end);
  on("opened", reopen);
  on("seek", ({ call, lane }) => {
    if (isRunning()) return;
    setPlaying(false);
    seek(call, lane);
  });
  new ResizeObserver(() => {
    const { width = 0, height = 0 } = panes[0]?.canvas.getBoundingClientRect() ?? {};
    sideOnScreen = Math.max(width, height) * devicePixelRatio;
  }).observe(area);
  if (!panes.length) setLanes(props.lanes); // before anything is known of them: nothing moves when it is
  watch("value", () => receive(props.value));
  comeBack();
  showFirst();
}

const keyOf = (lane, call, view) => `${lane} ${call} ${view}`;
