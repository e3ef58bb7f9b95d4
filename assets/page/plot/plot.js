// The sigma plot: follows the form, shows where the frames are, and moves them when dragged over.

import { ALONG, HEIGHT } from "./axes.js";
import { makeEditor } from "./editor.js";
import { dashesOf, pinned } from "./pins.js";
import { makeReadout } from "./readout.js";
import { relativeTo } from "./relative.js";
import { lanesOnScreen } from "../run/run.js";
import { summaryOf } from "../settings/problems.js";
import { waitForElement, fileUrl, make, setHidden, setText, styleOf } from "../shared/dom.js";
import { afterFirstSight } from "../shared/first_sight.js";
import { laneKeys, letter } from "../shared/names.js";
import { isOther } from "../table/tables.js";
import { openTab } from "../tabs/tabs.js";
import { emit, on } from "../shared/signals.js";
import { follow, known, set, state, subscribe } from "../shared/store.js";

const CONFIG = {
  displaylogo: false,
  displayModeBar: matchMedia("(hover: hover)").matches ? "hover" : false,
  modeBarButtons: [["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]],
};
const DIMMED = 0.12; // the opacity of lanes beside the one that is pointed at
const FAILED =
  "The plot could not be loaded; everything else works, and the tab Table has its numbers. Reload the page to try again. ";
const OTHER = "The curves show the current settings, the rings the run on screen.";
const ALL_HIDDEN = "All lanes are hidden: press a letter above to show one.";

export async function mount({ element, props }) {
  const area = element.querySelector(".area");
  const sentence = element.querySelector(".below .sentence");
  const note = element.querySelector(".note");
  const marks = laneKeys(props.lanes).map((lane, index) => makeMark(element, lane, index));
  let palette = readPalette(props.lanes);

  // The text below the plot needs no plotly.
  follow("answer", ({ answer: { problems } }) => {
    sentence.textContent = summaryOf(problems);
    element.toggleAttribute("data-stale", problems.length > 0);
  });
  follow(["answer", "curves", "cursor", "key", "hidden"], compare);

  try {
    const script = fileUrl(props.script);
    document.head.append(Object.assign(make("link"), { rel: "preload", as: "script", href: script }));
    await afterFirstSight();
    await load(script);
  } catch {
    const toTable = Object.assign(make("button", "quiet-button", "Open the table"), { type: "button" });
    toTable.addEventListener("click", () => openTab("table", { focus: true }));
    area.replaceWith(Object.assign(make("p", "sentence", FAILED, toTable), { role: "alert" }));
    return set({ plotFailed: true });
  }
  const bar = await waitForElement(".legend .editing");
  const editor = makeEditor({ element, area, bar, count: props.lanes, redraw: draw });
  const readout = makeReadout({ element, area });
  let reference = null; // lane A's line, where the plot is relative to it

  // Are the curves those of the run whose frames are on screen?
  function compare(state) {
    const other = isOther(state);
    const none = state.curves !== null && state.curves.labels.every((_, lane) => state.hidden.lanes.includes(lane));
    setText(note, none ? ALL_HIDDEN : OTHER);
    setHidden(note, !(other || none) || sentence.textContent !== "");
    element.toggleAttribute("data-other", other);
  }

  function draw() {
    const figure = JSON.parse(state.curves.figure);
    figure.data = figure.data.filter(({ meta }) => ("pin" in meta ? isPinShown(meta.pin) : isShown(meta)));
    const { data, layout } = themed(figure, palette);
    layout.hovermode = false; // readout.js tells the numbers
    editor.amend({ data, layout });
    Plotly.react(area, data, layout, CONFIG);
    set({ plotDrawn: true });
  }

  const isPinShown = (id) => pinned().some((pin) => pin.id === id && !pin.hidden);
  const isShown = ({ lane, kind }) => !state.hidden.lanes.includes(lane) && !state.hidden.kinds.includes(kind);

  // A lane's key is pointed at: the others step back. Plotly is not asked: it would draw all anew.
  function dim({ but }) {
    const isBack = (lane) => but >= 0 && lane !== but;
    marks.forEach((mark, lane) => mark.classList.toggle("dimmed", isBack(lane)));
    for (const { uid, meta, opacity } of area._fullData ?? []) {
      const drawn = area.querySelector(`.scatterlayer .trace${uid}`);
      if (drawn) drawn.style.opacity = isBack(meta.lane) ? DIMMED : opacity;
    }
  }

  // Put each lane's line and ring where its call on screen is; cheap enough for every frame.
  function mark() {
    const { curves: shown, cursor } = state;
    const { xaxis, yaxis } = area._fullLayout;
    const [x, y] = [area.offsetLeft, area.offsetTop]; // read once: it forces a layout
    marks.forEach((mark, lane) => {
      const point = cursor.points[lane];
      const isAway = !point || state.hidden.lanes.includes(lane);
      if (isAway) return setHidden(mark, true);
      const [left, top] = [xaxis.d2p(ALONG[shown.x](point)), yaxis.d2p(heightOf(point, lane))];
      const [line, ring] = mark.children;
      setHidden(mark, left < 0 || left > xaxis._length);
      mark.style.transform = `translate(${x + xaxis._offset + left}px, ${y}px)`;
      line.style.top = `${yaxis._offset}px`;
      line.style.height = `${yaxis._length}px`;
      ring.style.top = `${yaxis._offset + top}px`;
      setHidden(ring, !(top >= 0 && top <= yaxis._length));
    });
  }

  function heightOf(point, lane) {
    const height = HEIGHT[state.curves.quantity]?.(point) ?? NaN;
    return reference ? relativeTo(reference, state.curves.x, height, point, state.plan[lane]?.steps) : height;
  }

  // The call under the pointer: the nearest along the axis, then the nearest in sigma.
  function pick({ clientX, clientY }) {
    const { curves: shown } = state;
    const { xaxis, yaxis } = area._fullLayout;
    const box = area.querySelector(".nsewdrag").getBoundingClientRect();
    const [left, top] = [clientX - box.left, clientY - box.top];
    const hasHeight = shown.quantity in HEIGHT;
    let best = { distance: Infinity };
    lanesOnScreen().forEach(({ calls }, lane) =>
      calls.forEach((point, call) => {
        const aside = Math.abs(xaxis.d2p(ALONG[shown.x](point)) - left);
        const above = (hasHeight && Math.abs(yaxis.d2p(heightOf(point, lane)) - top)) || 0; // beyond the ends of A there is none
        const distance = aside + above / 1000;
        if (distance < best.distance) best = { distance, call, lane };
      }),
    );
    if (best.distance < Infinity) emit("seek", best);
  }

  await known("curves");
  follow("curves", ({ curves }) => {
    reference = JSON.parse(curves.reference);
    editor.receive(curves);
    draw();
    readout.renew();
  });
  area.addEventListener("pointerdown", (down) => {
    const zooming = area._fullLayout.dragmode;
    if (zooming || !lanesOnScreen().length || !down.target.closest(".nsewdrag")) return;
    pick(down);
    const stop = new AbortController();
    document.addEventListener("pointermove", pick, { signal: stop.signal });
    document.addEventListener("pointerup", () => stop.abort(), { signal: stop.signal });
    document.addEventListener("pointercancel", () => stop.abort(), { signal: stop.signal });
  });
  subscribe("cursor", mark);
  subscribe("pins", draw);
  subscribe("hidden", () => {
    draw();
    readout.renew();
  });
  subscribe("editing", readout.place);
  on("dim", dim);
  area.on("plotly_afterplot", () => {
    hideCutLabels(area);
    nameDrawing(area);
    mark();
    editor.place();
    readout.place();
  });
  new ResizeObserver(() => Plotly.Plots.resize(area)).observe(area);
  new MutationObserver(() => {
    palette = readPalette(props.lanes);
    draw();
  }).observe(document.body, { attributeFilter: ["class"] });
}

// Tick labels that the plot's edge would cut are left out, as Plotly does, but measured once per
// drawing.
function hideCutLabels(area) {
  const edge = area.getBoundingClientRect();
  const labels = [...area.querySelectorAll(":is(.xtick, .ytick) text")];
  for (const label of labels) label.style.removeProperty("display");
  const boxes = labels.map((label) => label.getBoundingClientRect());
  labels.forEach((label, at) => {
    const { left, right, top, bottom, height } = boxes[at];
    const aside = label.closest(".xtick") && (left < edge.left || right > edge.right);
    const above = label.closest(".ytick") && (top + height / 4 < edge.top || bottom > edge.bottom);
    if (aside || above) label.style.display = "none";
  });
}

// The curves are an image with a name; beside them stand buttons and grips, which no image may hold.
function nameDrawing(area) {
  const { xaxis, yaxis } = area._fullLayout;
  const letters = [...new Set(area._fullData.map(({ meta }) => meta.lane))].filter((lane) => lane >= 0);
  const [curves, ...overlays] = area.querySelectorAll(".main-svg");
  const lanes = letters.sort().map(letter);
  curves.setAttribute("role", "img");
  curves.setAttribute("aria-label", `${yaxis.title.text} by ${xaxis.title.text}, lanes ${lanes.join(", ")}`);
  for (const overlay of overlays) overlay.setAttribute("aria-hidden", true);
}

function makeMark(element, lane, index) {
  const mark = make("div", `mark lane-${lane}`, make("i"), make("b"));
  mark.style.setProperty("--index", index);
  mark.hidden = true;
  element.querySelector(".marks").append(mark);
  return mark;
}

function load(src) {
  return new Promise((resolve, reject) => {
    const script = make("script");
    const done = () => (window.Plotly ? resolve() : reject()); // whatever was loaded instead
    Object.assign(script, { src, onload: done, onerror: reject });
    document.head.append(script);
  });
}

// The colours of the page's theme. Reading them forces a layout, so not for every figure.
function readPalette(count) {
  const names = ["--ink", "--ink-2", "--ink-3", "--field", "--rule", "--rule-2", "--ground"];
  const [text, ink, faint, paper, grid, line, ground] = names.map(styleOf);
  const lanes = laneKeys(count).map((lane) => styleOf(`--lane-${lane}`));
  return { text, ink, faint, paper, grid, line, ground, lanes };
}

function themed({ data, layout }, { text, ink, faint, paper, grid, line, ground, lanes }) {
  for (const trace of data) {
    const pin = pinned().find(({ id }) => id === trace.meta.pin);
    const color = pin ? faint : lanes[trace.meta.lane];
    trace.marker = { ...trace.marker, color };
    trace.line = { ...trace.line, color };
    if (pin) trace.line.dash = dashesOf(pin).replaceAll(" ", ",");
  }
  layout.font.color = ink;
  layout.hoverlabel = { bgcolor: paper, font: { color: text } };
  layout.modebar = { bgcolor: "transparent", color: line, activecolor: ink };
  for (const note of layout.annotations ?? []) Object.assign(note, { arrowcolor: line, bgcolor: ground });
  for (const axis of [layout.xaxis, layout.yaxis]) {
    Object.assign(axis, { gridcolor: grid, linecolor: line });
  }
  return { data, layout };
}
