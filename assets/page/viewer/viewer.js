// The lanes' pictures: live while a run goes on, then every recorded call under the scrubber.

import { BACK, caption, LIVE } from "./captions.js";
import { makeComparison } from "./comparison.js";
import { makeEnlarged } from "./enlarged.js";
import { Live } from "./live.js";
import { makePane } from "./pane.js";
import { Recorded } from "./recorded.js";
import { makeTransport } from "./transport.js";
import { mountSwitches } from "./view_switches.js";
import { showFirst } from "../examples/first_example.js";
import "../history/zip_files.js";
import "../run/stale.js";
import { isRunning, receive } from "../run/run.js";
import { comeBack } from "../run/watch.js";
import { setText } from "../shared/dom.js";
import { laneKey, letter } from "../shared/names.js";
import { emit, on } from "../shared/signals.js";
import { follow, set, state, subscribe } from "../shared/store.js";
import { readable } from "../shared/readable.js";

const NO_LARGE_FRAMES = { files: 0, decoded: 0, bytes: 0 };

export function mount({ element, props, watch }) {
  const viewer = element.querySelector(".viewer");
  const area = element.querySelector(".panes");
  const [sentence, unequal, unwritten] = [".views .shown", ".unequal", ".unwritten"].map((query) =>
    element.querySelector(query),
  );
  const most = props.most ?? Infinity; // lanes that the page has room and colours for
  const panes = []; // one a lane: of the run on screen, of the form before the first one

  let shown = null; // the pictures on screen: Live or Recorded
  let left = 0; // lanes that are not on screen, there being too many
  let mode = "side"; // how lanes are compared, where there are two
  let drawn = 0; // the animation frame that will draw, 0 while none is asked for
  let sideOnScreen = 0; // of a picture, in pixels of the screen

  const switches = mountSwitches(element);
  const transport = makeTransport(element, {
    seek: (call) => seek(call),
    current: () => ({ call: shown.cursor[shown.lead], last: shown.lanes[shown.lead].calls.length - 1 }),
    follow: () => seek(Infinity),
  });
  const comparison = makeComparison(element, () => enlarge(comparison.lanes, comparison.drawDifference));
  const enlarged = makeEnlarged(element, { move, id: () => (isRunning() ? "" : state.recorded?.id) });

  function setLanes(count) {
    while (panes.length < count) {
      const lane = panes.length;
      panes.push(makePane(element, laneKey(lane), () => enlarge([lane])));
    }
    panes.splice(count).forEach((pane) => pane.remove());
    area.dataset.lanes = count;
  }

  // --- moving ---

  // Move to a call of one lane; the others go with it.
  function seek(call, lead = shown?.lead) {
    if (!shown?.lanes[lead]?.calls.length) return;
    shown.seek(call, lead, transport.align);
    tell();
    redraw();
  }

  function move(by, lane) {
    if (!shown) return;
    transport.pause();
    const last = shown.lanes[lane].calls.length - 1;
    if (last < 0) return redraw(); // it was not reached
    seek(Math.max(0, Math.min(last, shown.cursor[lane] + by)), lane);
  }

  // Where the pictures on screen are, for the plot and everyone else.
  function tell() {
    const { cursor, lanes } = shown;
    set({ cursor: { calls: cursor, points: cursor.map((at, lane) => lanes[lane].calls[at]) } });
    transport.show(shown);
  }

  // --- drawing ---

  function redraw() {
    drawn ||= requestAnimationFrame(draw);
  }

  function draw() {
    drawn = 0;
    if (!shown) return;
    const compares = mode !== "side";
    if (compares) comparison.draw(shown);
    else panes.slice(0, shown.lanes.length).forEach(drawPane);
    const { view } = shown;
    const latent = view === "latent" ? shown.latentInWords : ""; // asking for it fetches it
    const words = caption({ view, latent, mode, names: comparison.lanes.map(letter) });
    const aside = left ? ` The run has ${left + shown.lanes.length} lanes, the page room for ${shown.lanes.length}.` : "";
    setText(sentence, (shown.isLive && !compares ? (shown.follows ? LIVE : BACK) : words) + aside);
    enlarged.draw(shown, words);
  }

  // Side by side, or two lanes in one place.
  function arrange() {
    mode = shown?.lanes.length > 1 ? state.compare.mode : "side";
    comparison.set({ ...state.compare, mode }, shown?.lanes.length ?? 2);
    area.toggleAttribute("data-compared", mode !== "side");
    redraw();
  }

  function drawPane(pane, lane) {
    const at = shown.cursor[lane];
    if (at < 0) pane.clear();
    else {
      const problem = shown.problem(lane);
      if (problem) pane.blank();
      else shown.paint(pane.canvas, lane);
      pane.say(problem);
      pane.markApproximate(!problem && shown.isApproximate(lane));
    }
    pane.show(shown.lanes[lane], at, shown.view);
  }

  function enlarge(lanes, drawing) {
    enlarged.open(lanes, drawing);
    draw();
  }

  // --- a run ---

  function put(pictures) {
    shown?.close();
    shown = pictures;
    viewer.removeAttribute("data-empty");
    setLanes(shown.lanes.length);
    arrange();
  }

  // What there is to do with the pictures on screen.
  function enable() {
    const there = shown !== null && shown.lanes.length > 0 && shown.isLive === isRunning();
    viewer.toggleAttribute("data-scrubbing", there);
    transport.enable(there, there && shown.isLive);
    switches.enable({ views: there && !shown.isLive, compare: there && shown.lanes.length > 1 });
  }

  function begin({ again }) {
    unwritten.hidden = true;
    transport.pause();
    viewer.toggleAttribute("data-waiting", true);
    if (!again) makeRoom();
    enable();
  }

  // For the lanes of the run that begins, at once: later it would be a jump. The pictures of the run before stay
  // meanwhile.
  function makeRoom() {
    const labels = (state.curves?.labels ?? []).slice(0, most);
    if (!labels.length || labels.length === panes.length) return;
    const before = panes.length;
    setLanes(labels.length);
    labels.slice(before).forEach((label, at) => panes[before + at].name(label));
  }

  function progress(event) {
    const { plan } = state;
    if (!event.call || !plan.length) return;
    viewer.removeAttribute("data-waiting");
    unequal.hidden = true;
    if (!shown?.isLive) {
      left = Math.max(0, plan.length - most);
      put(new Live(plan.slice(0, most), redraw));
      panes.forEach((pane) => pane.clear());
      enable();
    }
    shown.add(event.made.slice(0, most).map((calls) => calls - 1), event.previews);
    tell();
    redraw();
  }

  function end({ run }) {
    viewer.removeAttribute("data-waiting");
    if (run) open(run);
    else if (shown && panes.length !== shown.lanes.length) {
      setLanes(shown.lanes.length); // it never began
      redraw();
    }
    enable();
  }

  function reopen({ run }) {
    unwritten.hidden = true;
    transport.pause();
    viewer.removeAttribute("data-waiting");
    open(run);
    enable();
  }

  function open(run) {
    const back = shown?.isLive && !shown.follows ? { call: shown.cursor[shown.lead], lead: shown.lead } : null;
    const lanes = run.lanes.slice(0, most);
    left = run.lanes.length - lanes.length;
    put(new Recorded({ ...run, lanes }, state.plan, redraw, () => sideOnScreen));
    shown.look(state.view);
    unequal.hidden = shown.lanes.every(({ calls }) => calls.at(-1)?.step === shown.lanes[0].calls.at(-1)?.step);
    fetchFrames(shown);
    if (back) return seek(Math.min(back.call, shown.lanes[back.lead].calls.length - 1), back.lead); // it stays there
    seek(shown.lanes[shown.lead].calls.length - 1);
  }

  // The scrubber works meanwhile: numbers and rings at once, pictures when they are here.
  async function fetchFrames(opened) {
    viewer.toggleAttribute("data-fetching", true);
    await opened.load();
    if (opened !== shown) return opened.close();
    viewer.removeAttribute("data-fetching");
    redraw();
    const view = opened.view === "noisy" ? "noisy" : "denoised";
    emit("frames", { cursor: opened.cursor, view }); // those on screen come first
  }

  // --- what others do ---

  element.addEventListener("change", ({ target }) => {
    if (target.name === "align" && shown && !shown.isLive) seek(shown.cursor[shown.lead]);
  });
  subscribe("view", ({ view }) => {
    shown?.look(view);
    redraw();
  });
  subscribe("compare", arrange);
  follow("curves", ({ curves: { labels } }) => {
    if (shown || isRunning()) return;
    setLanes(labels.length);
    labels.forEach((label, lane) => panes[lane].name(label));
  });
  on("full", (frames) => {
    if (shown && !shown.isLive) frames.forEach((frame) => shown.add(frame));
  });
  on("unwritten", (text) => {
    unwritten.textContent = text;
    unwritten.hidden = false;
  });
  Object.defineProperty(readable, "largeFrames", { get: () => shown?.largeFrames ?? NO_LARGE_FRAMES });
  subscribe("stale", ({ stale }) => viewer.toggleAttribute("data-stale", stale));
  on("begin", begin);
  on("progress", progress);
  on("end", end);
  on("opened", reopen);
  on("seek", ({ call, lane }) => {
    if (isRunning() && !shown?.isLive) return; // the pictures of the run before are about to go
    transport.pause();
    seek(call, lane);
  });
  new ResizeObserver(() => {
    const { width = 0, height = 0 } = panes[0]?.canvas.getBoundingClientRect() ?? {};
    sideOnScreen = Math.max(width, height) * devicePixelRatio;
    comparison.fit(area.getBoundingClientRect());
    area.tabIndex = area.scrollWidth > area.clientWidth ? 0 : -1; // for keys, where it scrolls
  }).observe(area);
  new ResizeObserver(() => document.documentElement.style.setProperty("--viewer", `${element.offsetHeight}px`)).observe(element);
  if (!panes.length) setLanes(props.lanes); // before anything is known of them: nothing moves when it is
  setText(sentence, caption({ view: state.view }));
  watch("value", () => receive(props.value));
  comeBack();
  showFirst();
}
