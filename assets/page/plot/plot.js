// The sigma plot: follows the form, shows where the frames are, and moves them when dragged over.

import { makeEditor } from "./editor.js";
import { dashesOf, pinned } from "./pins.js";
import { summaryOf } from "../settings/problems.js";
import { waitForElement, fileUrl, make, styleOf } from "../shared/dom.js";
import { laneKeys, letter } from "../shared/names.js";
import { emit } from "../shared/signals.js";
import { follow, known, set, state, subscribe } from "../shared/store.js";

const CONFIG = {
  displaylogo: false,
  displayModeBar: matchMedia("(hover: hover)").matches ? "hover" : false,
  modeBarButtons: [["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]],
};
// Where a call stands on each of the plot's x axes.
const AXIS = {
  step: ({ step, second_call }) => step + (second_call ? 1.5 : 1),
  timestep: ({ timestep }) => timestep,
  log_sigma: ({ sigma }) => sigma,
};

// A call's height on each y axis that depends on sigma only.
const HEIGHT = {
  sigma: ({ sigma }) => sigma,
  log_snr: ({ sigma }) => -2 * Math.log(sigma),
  alpha_bar: ({ sigma }) => 1 / (1 + sigma ** 2),
};

const FAILED = "The plot could not be loaded; everything else works. Reload the page to try again.";

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
  follow("curves", ({ curves }) => {
    for (const input of document.querySelectorAll("#y_axis input")) input.disabled = !curves.scales;
  });
  follow(["answer", "curves", "cursor", "key"], compare);

  try {
    await load(props.script);
  } catch {
    area.replaceWith(Object.assign(make("p", "sentence", FAILED), { role: "alert" }));
    return set({ plotFailed: true });
  }
  const bar = await waitForElement(".legend .editing");
  const editor = makeEditor({ element, area, bar, count: props.lanes, redraw: draw });

  // Are the curves those of the run whose frames are on screen?
  function compare({ cursor: { points }, curves, key }) {
    const other = points.length > 0 && curves !== null && curves.key !== key;
    note.hidden = !other || sentence.textContent !== "";
    element.toggleAttribute("data-other", other);
  }

  function draw() {
    const figure = JSON.parse(state.curves.figure);
    const kinds = figure.data.filter(({ meta }) => !("pin" in meta)).map(({ meta }) => meta.kind);
    set({ kinds: [...new Set(kinds)].filter((kind) => kind !== "left out") });
    figure.data = figure.data.filter(({ meta }) => !("pin" in meta) || visible(meta.pin));
    const { data, layout } = themed(figure, palette);
    editor.amend({ data, layout });
    Plotly.react(area, data, layout, CONFIG);
  }

  const visible = (id) => pinned().some((pin) => pin.id === id && !pin.hidden);

  // Put each lane's line and ring where its call on screen is; cheap enough for every frame.
  function mark() {
    const { curves: shown, cursor } = state;
    const { xaxis, yaxis } = area._fullLayout;
    const [x, y] = [area.offsetLeft, area.offsetTop]; // read once: it forces a layout
    marks.forEach((mark, lane) => {
      const point = cursor.points[lane];
      mark.hidden = !point;
      if (!point) return;
      const height = HEIGHT[shown.quantity]?.(point) ?? NaN;
      const [left, top] = [xaxis.d2p(AXIS[shown.x](point)), yaxis.d2p(height)];
      const [line, ring] = mark.children;
      mark.hidden = left < 0 || left > xaxis._length;
      mark.style.transform = `translate(${x + xaxis._offset + left}px, ${y}px)`;
      line.style.top = `${yaxis._offset}px`;
      line.style.height = `${yaxis._length}px`;
      ring.style.top = `${yaxis._offset + top}px`;
      ring.hidden = !(top >= 0 && top <= yaxis._length);
    });
  }

  // The call under the pointer: the nearest along the axis, then the nearest in sigma.
  function pick({ clientX, clientY }) {
    const { curves: shown, recorded } = state;
    const { xaxis, yaxis } = area._fullLayout;
    const box = area.querySelector(".nsewdrag").getBoundingClientRect();
    const [left, top] = [clientX - box.left, clientY - box.top];
    const height = HEIGHT[shown.quantity];
    let best = { distance: Infinity };
    recorded.lanes.forEach(({ calls }, lane) =>
      calls.forEach((point, call) => {
        const aside = Math.abs(xaxis.d2p(AXIS[shown.x](point)) - left);
        const above = height ? Math.abs(yaxis.d2p(height(point)) - top) : 0;
        const distance = aside + above / 1000;
        if (distance < best.distance) best = { distance, call, lane };
      }),
    );
    if (best.distance < Infinity) emit("seek", best);
  }

  await known("curves");
  follow("curves", ({ curves }) => {
    editor.receive(curves);
    draw();
  });
  area.addEventListener("pointerdown", (down) => {
    const zooming = area._fullLayout.dragmode;
    if (zooming || !state.recorded || !down.target.closest(".nsewdrag")) return;
    pick(down);
    const stop = new AbortController();
    document.addEventListener("pointermove", pick, { signal: stop.signal });
    document.addEventListener("pointerup", () => stop.abort(), { signal: stop.signal });
    document.addEventListener("pointercancel", () => stop.abort(), { signal: stop.signal });
  });
  subscribe("cursor", mark);
  subscribe("pins", draw);
  area.on("plotly_afterplot", () => {
    hideCutLabels(area);
    nameDrawing(area);
    mark();
    editor.place();
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

function load(path) {
  return new Promise((resolve, reject) => {
    const script = make("script");
    const done = () => (window.Plotly ? resolve() : reject()); // whatever was loaded instead
    Object.assign(script, { src: fileUrl(path), onload: done, onerror: reject });
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
