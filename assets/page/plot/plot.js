// The sigma plot: follows the form, shows where the frames are, and moves them when dragged over.

import { makeEditor } from "./editor.js";
import { dashesOf, pinned } from "./pins.js";
import { summed } from "../settings/problems.js";
import { LANES, appear, emit, fileUrl, on, styleOf } from "../shared/store.js";

const CONFIG = {
  displaylogo: false,
  displayModeBar: matchMedia("(hover: hover)").matches ? "hover" : false,
  modeBarButtons: [["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]],
};
// Where a call stands on each of the plot's x axes.
const AXIS = {
  step: ({ step, half }) => step + (half ? 1.5 : 1),
  timestep: ({ timestep }) => timestep,
  log_sigma: ({ sigma }) => sigma,
};

// How high a call stands on each y axis that a sigma alone decides.
const HEIGHT = {
  sigma: ({ sigma }) => sigma,
  log_snr: ({ sigma }) => -2 * Math.log(sigma),
  alpha_bar: ({ sigma }) => 1 / (1 + sigma ** 2),
};

export async function mount({ element, props, watch }) {
  const area = element.querySelector(".area");
  const sentence = element.querySelector(".sentence");
  const note = element.querySelector(".note");
  const marks = LANES.map((lane, index) => makeMark(element, lane, index));
  let palette = readPalette();
  let shown = null; // the last good figure, as the server sent it
  let runKey = ""; // of the run on screen
  let points = []; // the calls on screen, by lane
  let lanes = []; // all calls of the recorded run, by lane

  await load(props.script);
  const bar = await appear(".legend .editing");
  const editor = makeEditor({ element, area, bar, redraw: draw });

  function receive() {
    if (!props.value) return; // an answer that failed on its way
    const { problems, figure } = props.value;
    if (figure) {
      shown = props.value;
      for (const input of document.querySelectorAll("#y_axis input")) input.disabled = !shown.scales;
      editor.receive(shown);
    }
    emit("settings", props.value);
    sentence.textContent = summed(problems);
    element.toggleAttribute("data-stale", problems.length > 0);
    draw();
    compare();
  }

  // Are the curves those of the run whose frames are on screen?
  function compare() {
    note.hidden = !points.length || shown.key === runKey || sentence.textContent !== "";
    element.toggleAttribute("data-other", points.length > 0 && shown.key !== runKey);
  }

  function draw() {
    const figure = JSON.parse(shown.figure);
    const kinds = figure.data.filter(({ meta }) => !("pin" in meta)).map(({ meta }) => meta.kind);
    emit("kinds", [...new Set(kinds)].filter((kind) => kind !== "left out"));
    figure.data = figure.data.filter(({ meta }) => !("pin" in meta) || visible(meta.pin));
    const { data, layout } = themed(figure, palette);
    editor.amend({ data, layout });
    Plotly.react(area, data, layout, CONFIG);
  }

  const visible = (id) => pinned().some((pin) => pin.id === id && !pin.hidden);

  // Put each lane's line and ring where its call on screen is; cheap enough for every frame.
  function mark() {
    const { xaxis, yaxis } = area._fullLayout;
    const [x, y] = [area.offsetLeft, area.offsetTop]; // asked for once: it lays out what has changed
    marks.forEach((mark, lane) => {
      const point = points[lane];
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
    const { xaxis, yaxis } = area._fullLayout;
    const box = area.querySelector(".nsewdrag").getBoundingClientRect();
    const [left, top] = [clientX - box.left, clientY - box.top];
    const height = HEIGHT[shown.quantity];
    let best = { distance: Infinity };
    lanes.forEach((calls, lane) =>
      calls.forEach((point, call) => {
        const aside = Math.abs(xaxis.d2p(AXIS[shown.x](point)) - left);
        const above = height ? Math.abs(yaxis.d2p(height(point)) - top) : 0;
        const distance = aside + above / 1000;
        if (distance < best.distance) best = { distance, call, lane };
      }),
    );
    if (best.distance < Infinity) emit("seek", best);
  }

  receive();
  area.addEventListener("pointerdown", (down) => {
    const zooming = area._fullLayout.dragmode;
    if (zooming || !lanes.length || !down.target.closest(".nsewdrag")) return;
    pick(down);
    const stop = new AbortController();
    document.addEventListener("pointermove", pick, { signal: stop.signal });
    document.addEventListener("pointerup", () => stop.abort(), { signal: stop.signal });
    document.addEventListener("pointercancel", () => stop.abort(), { signal: stop.signal });
  });
  on("cursor", (cursor) => {
    points = cursor.points;
    mark();
    compare();
  });
  on("progress", ({ key }) => {
    if (key) runKey = key;
    compare();
  });
  on("end", ({ run }) => {
    if (run) lanes = run.lanes.map((lane) => lane.calls);
  });
  on("pins", draw);
  area.on("plotly_afterplot", () => {
    nameDrawing(area);
    mark();
    editor.place();
  });
  new ResizeObserver(() => Plotly.Plots.resize(area)).observe(area);
  new MutationObserver(() => {
    palette = readPalette();
    draw();
  }).observe(document.body, { attributeFilter: ["class"] });
  watch("value", receive);
}

// The curves are an image with a name; beside them stand buttons and grips, which no image may hold.
function nameDrawing(area) {
  const { xaxis, yaxis } = area._fullLayout;
  const letters = [...new Set(area._fullData.map(({ meta }) => meta.lane))].filter((lane) => lane >= 0);
  const [curves, ...overlays] = area.querySelectorAll(".main-svg");
  const lanes = letters.sort().map((lane) => LANES[lane].toUpperCase());
  curves.setAttribute("role", "img");
  curves.setAttribute("aria-label", `${yaxis.title.text} by ${xaxis.title.text}, lanes ${lanes.join(", ")}`);
  for (const overlay of overlays) overlay.setAttribute("aria-hidden", true);
}

function makeMark(element, lane, index) {
  const mark = document.createElement("div");
  mark.className = `mark lane-${lane}`;
  mark.style.setProperty("--index", index);
  mark.hidden = true;
  mark.append(document.createElement("i"), document.createElement("b"));
  element.querySelector(".marks").append(mark);
  return mark;
}

function load(path) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    Object.assign(script, { src: fileUrl(path), onload: resolve, onerror: reject });
    document.head.append(script);
  });
}

// The colours of the page's theme. Asking for them lays the page out, so not for every figure.
function readPalette() {
  const names = ["--ink", "--ink-2", "--ink-3", "--field", "--rule", "--rule-2", "--ground"];
  const [text, ink, faint, paper, grid, line, ground] = names.map(styleOf);
  const lanes = LANES.map((lane) => styleOf(`--lane-${lane}`));
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
