// The sigma plot: follows the form, shows where the frames are, and moves them when dragged over.

import { LANES, emit, fileUrl, on, styleOf } from "./store.js";

const CONFIG = {
  responsive: true,
  displaylogo: false,
  modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d", "toImage"],
};
const AXIS = { step: ({ step, half }) => step + (half ? 0.5 : 0), timestep: (p) => p.timestep };
AXIS.log_sigma = (point) => point.sigma;

export async function mount({ element, props, watch }) {
  const area = element.querySelector(".area");
  const sentence = element.querySelector(".sentence");
  let shown = null; // the last good figure, as the server sent it
  let points = []; // the calls on screen, by lane
  let lanes = []; // all calls of the recorded run, by lane

  await load(props.script);

  function receive() {
    const { problems, figure } = props.value;
    if (figure) shown = props.value;
    emit("problems", problems);
    sentence.textContent = problems.map((problem) => problem.sentence).join(" ");
    element.toggleAttribute("data-stale", problems.length > 0);
    draw();
  }

  function draw() {
    const { data, layout } = themed(structuredClone(shown.figure));
    Plotly.react(area, data, { ...layout, shapes: cursorShapes(points, shown.x) }, CONFIG);
  }

  // The call under the pointer: the nearest along the axis, then the nearest in sigma.
  function pick({ clientX, clientY }) {
    const { xaxis, yaxis } = area._fullLayout;
    const box = area.querySelector(".nsewdrag").getBoundingClientRect();
    const [left, top] = [clientX - box.left, clientY - box.top];
    let best = { distance: Infinity };
    lanes.forEach((calls, lane) =>
      calls.forEach((point, call) => {
        const aside = Math.abs(xaxis.d2p(AXIS[shown.x](point)) - left);
        const above = Math.abs(yaxis.d2p(point.sigma) - top);
        const distance = aside + above / 1000;
        if (distance < best.distance) best = { distance, call, lane };
      }),
    );
    if (best.distance < Infinity) emit("seek", best);
  }

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
    Plotly.relayout(area, { shapes: cursorShapes(points, shown.x) });
  });
  on("end", ({ run }) => {
    if (run) lanes = run.lanes.map((lane) => lane.calls);
  });
  new MutationObserver(draw).observe(document.body, { attributeFilter: ["class"] });
  watch("value", receive);
  receive();
}

function load(path) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    Object.assign(script, { src: fileUrl(path), onload: resolve, onerror: reject });
    document.head.append(script);
  });
}

// The figure in the colours of the page's theme.
function themed({ data, layout }) {
  const [ink, grid, line] = ["--ink-2", "--rule", "--rule-2"].map(styleOf);
  for (const trace of data) {
    const colour = styleOf(`--lane-${LANES[trace.meta.lane]}`);
    trace.marker.color = colour;
    if (trace.line) trace.line.color = colour;
  }
  layout.font.color = ink;
  for (const axis of [layout.xaxis, layout.yaxis]) {
    Object.assign(axis, { gridcolor: grid, linecolor: line });
  }
  return { data, layout };
}

// A line at the call on screen and a ring around its sigma, for each lane.
function cursorShapes(points, x) {
  return points.flatMap((point, lane) => {
    const colour = styleOf(`--lane-${LANES[lane]}`);
    const at = AXIS[x](point);
    return [
      {
        type: "line",
        layer: "below",
        x0: at,
        x1: at,
        yref: "paper",
        y0: 0,
        y1: 1,
        opacity: 0.5,
        line: { color: colour, width: 1.5 },
      },
      {
        type: "circle",
        xsizemode: "pixel",
        ysizemode: "pixel",
        xanchor: at,
        yanchor: point.sigma,
        x0: -7,
        x1: 7,
        y0: -7,
        y1: 7,
        line: { color: colour, width: 2 },
      },
    ];
  });
}
