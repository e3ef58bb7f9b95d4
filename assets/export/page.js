// A saved run in a page of its own: everything it shows is in the page, nothing is fetched.
// `atStep`, `longest` and `playCalls` are the app's, of viewer/align.js and playing.js, which stand above.

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [640, 220, 40, 630, 18, 196]; // of the plot

const run = JSON.parse(document.querySelector("#run").textContent);
const lanes = run.lanes.filter(({ calls }) => calls.length);
const find = (query) => document.querySelector(query);
const range = find(".transport input");
const play = find(".play");
const chosen = () => find("input[name=view]:checked").value;

let cursor = lanes.map(({ calls }) => calls.length - 1);
let playing = null; // stops it

// String children become text, never markup.
function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

function draw(tag, attributes, className = "", lane = null) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (className) element.setAttribute("class", className);
  if (lane !== null) element.style.setProperty("--lane", colour(lane));
  return find(".plot").appendChild(element);
}

const colour = ({ letter }) => `var(--lane-${"abcdef"[(letter.charCodeAt(0) - 65) % 6]})`;
const place = ({ step, second_call }) => step + 1 + (second_call ? 0.5 : 0);
const stepName = ({ step, second_call }) => `${step + 1}${second_call ? "½" : ""}`;

function describe() {
  find("h1").textContent = run.prompt || "No prompt";
  find(".facts").textContent = run.facts;
  const list = find("dl");
  for (const [name, text] of run.texts) list.append(make("dt", "", name), make("dd", "", text));
}

function image(url) {
  const picture = new Image();
  picture.addEventListener("load", show);
  picture.src = url;
  return picture;
}

// --- pictures ---

for (const lane of lanes) {
  lane.images = Object.fromEntries(
    ["noisy", "denoised", "picture"].filter((view) => lane[view]).map((view) => [view, image(lane[view])]),
  );
  lane.canvas = make("canvas");
  Object.assign(lane.canvas, lane.grid ? { width: lane.grid.width, height: lane.grid.height } : {});
  lane.canvas.setAttribute("role", "img");
  lane.caption = make("figcaption");
  const figure = make("figure", "", lane.canvas, lane.caption);
  figure.style.setProperty("--lane", colour(lane));
  find(".panes").append(figure);
}

function paint(lane, call) {
  const view = lane.images[chosen()] ? chosen() : "denoised";
  const source = lane.images[view];
  if (!source?.complete || !source.naturalWidth) return;
  const whole = view === "picture";
  const width = whole ? source.naturalWidth : lane.grid.width;
  const height = whole ? source.naturalHeight : lane.grid.height;
  const left = whole ? 0 : (call % lane.grid.columns) * width;
  const top = whole ? 0 : Math.floor(call / lane.grid.columns) * height;
  Object.assign(lane.canvas, { width, height });
  lane.canvas.getContext("2d").drawImage(source, left, top, width, height, 0, 0, width, height);
  lane.canvas.setAttribute("aria-label", `Lane ${lane.letter}, ${view}, step ${stepName(lane.calls[call])}`);
}

function show() {
  const lead = longest(lanes);
  lanes.forEach((lane, index) => {
    const call = lane.calls[cursor[index]];
    const rough = (lane.approximate[chosen()] ?? []).includes(cursor[index]) ? ", approximate" : "";
    lane.caption.replaceChildren(
      make("b", "", lane.letter),
      make("span", "", ` ${lane.label}`),
      make("br"),
      `call ${cursor[index] + 1}, sigma ${Number(call.sigma.toPrecision(4))}, ` +
        `timestep ${Number(call.timestep.toPrecision(4))}${rough}`,
    );
    paint(lane, cursor[index]);
    lane.mark?.setAttribute("cx", x(call));
    lane.mark?.setAttribute("cy", y(call.sigma));
  });
  const at = lanes[lead].calls[cursor[lead]];
  const text = `step ${stepName(at)}, call ${cursor[lead] + 1} of ${lanes[lead].calls.length}`;
  find("output").textContent = text;
  range.value = cursor[lead];
  range.setAttribute("aria-valuetext", text);
}

// The other lanes stand at the same step.
function seek(call, lead = longest(lanes)) {
  const there = lanes[lead].calls[call];
  cursor = lanes.map(({ calls }, lane) => (lane === lead ? call : atStep(calls, there)));
  show();
}

function setPlaying(on) {
  playing?.();
  playing = null;
  play.setAttribute("aria-pressed", on);
  play.textContent = on ? "Pause" : "Play";
  if (!on) return;
  const lead = longest(lanes);
  const last = lanes[lead].calls.length - 1;
  playing = playCalls(cursor[lead] < last ? cursor[lead] : 0, last, (call) => {
    seek(call, lead);
    if (call === last) setPlaying(false);
  });
}

// --- the plot: sigma on a logarithmic axis, by step ---

const all = lanes.flatMap(({ calls }) => calls);
const steps = all.map(place);
const logs = all.map(({ sigma }) => Math.log10(Math.max(sigma, 1e-6)));
const [first, last] = [Math.min(...steps), Math.max(...steps)];
const [low, high] = [Math.min(...logs), Math.max(...logs)];
const x = (call) => LEFT + ((RIGHT - LEFT) * (place(call) - first)) / Math.max(last - first, 1e-9);
const y = (sigma) =>
  BOTTOM - ((BOTTOM - TOP) * (Math.log10(Math.max(sigma, 1e-6)) - low)) / Math.max(high - low, 1e-9);

function plot() {
  for (let tick = Math.ceil(low); tick <= Math.floor(high); tick++) {
    const at = y(10 ** tick);
    draw("line", { x1: LEFT, x2: RIGHT, y1: at, y2: at }, "grid");
    draw("text", { x: LEFT - 6, y: at + 3, "text-anchor": "end" }).textContent = `${Number((10 ** tick).toPrecision(1))}`;
  }
  const every = Math.max(1, Math.ceil((last - first) / 12));
  for (let step = Math.ceil(first); step <= last; step += every) {
    draw("text", { x: x({ step: step - 1 }), y: HEIGHT - 8, "text-anchor": "middle" }).textContent = step;
  }
  draw("text", { x: LEFT - 6, y: HEIGHT - 8, "text-anchor": "end" }).textContent = "step";
  draw("text", { x: LEFT - 6, y: 10, "text-anchor": "end" }).textContent = "sigma";
  for (const lane of lanes) {
    const line = lane.calls.filter(({ second_call }) => !second_call);
    draw("polyline", { points: line.map((call) => `${x(call)},${y(call.sigma)}`).join(" ") }, "", lane);
    for (const call of lane.calls) {
      draw("circle", { cx: x(call), cy: y(call.sigma), r: 1.8 }, call.second_call ? "midpoint" : "call", lane);
    }
    lane.mark = draw("circle", { r: 5 }, "cursor", lane);
  }
}

// A click or a drag goes to the nearest call of the longest lane.
function point(event) {
  const box = find(".plot").getBoundingClientRect();
  const at = (event.clientX - box.left) / Math.min(box.width / WIDTH, box.height / HEIGHT);
  const { calls } = lanes[longest(lanes)];
  const distance = (call) => Math.abs(x(call) - at);
  seek(calls.reduce((best, call, index) => (distance(call) < distance(calls[best]) ? index : best), 0));
}

describe();
if (lanes.length) {
  plot();
  range.max = lanes[longest(lanes)].calls.length - 1;
  range.addEventListener("input", () => {
    setPlaying(false);
    seek(Number(range.value));
  });
  play.addEventListener("click", () => setPlaying(play.getAttribute("aria-pressed") !== "true"));
  find(".views").addEventListener("change", show);
  find(".plot").addEventListener("pointerdown", (event) => {
    setPlaying(false);
    point(event);
  });
  find(".plot").addEventListener("pointermove", (event) => event.buttons && point(event));
  show();
} else {
  for (const part of [".transport", ".views", ".plot"]) find(part).remove();
  find(".panes").textContent = "The run ended before its first call.";
}
