// Reading the curves at one place of the x axis: a line over the plot, and the numbers of all lanes there.
// The pointer moves it, a finger, or the arrow keys; Escape takes it away.

import { ALONG } from "./axes.js";
import { pinned } from "./pins.js";
import { nearest, placesOf, rowAt } from "./readings.js";
import { lanesOnScreen } from "../run/run.js";
import { formTable } from "../table/tables.js";
import { decimals, digits } from "../shared/digits.js";
import { laneLetter, make } from "../shared/dom.js";
import { letter, stepName } from "../shared/names.js";
import { emit } from "../shared/signals.js";
import { state } from "../shared/store.js";

const LEVELS = { sigma: "sigma", sigma_mid: "mid", sigma_down: "down", sigma_up: "up" };
const PLACES = { step: "step", timestep: "timestep", log_sigma: "sigma" };
const GAP = 10; // pixels between the plot's frame and the numbers

export function makeReadout({ element, area }) {
  const plot = element.querySelector(".plot");
  const reader = element.querySelector(".reader");
  const line = element.querySelector(".crosshair");
  const box = element.querySelector(".readout");
  let places = [];
  let at = -1; // the place that is read, -1 for none

  const lanes = () => formTable().map((lane, index) => ({ ...lane, index })).filter(({ index }) => !state.hidden.lanes.includes(index));
  const pixel = (place) => area._fullLayout.xaxis.d2p(place);
  const usable = () => Boolean(area._fullLayout?.xaxis) && state.curves !== null && !state.editing;

  // The curves are others: what is read stays at its place where that is there.
  function renew() {
    const place = places[at];
    places = placesOf(lanes(), state.curves.x);
    reader.setAttribute("aria-valuemax", Math.max(places.length - 1, 0));
    if (at >= 0) read(place === undefined ? -1 : nearest(places, (each) => Math.abs(each - place)));
  }

  function read(next) {
    at = usable() && places.length ? Math.min(Math.max(next, -1), places.length - 1) : -1;
    const { xaxis, yaxis } = area._fullLayout ?? {};
    const left = at < 0 ? -1 : pixel(places[at]);
    const isSeen = at >= 0 && left >= 0 && left <= xaxis._length;
    line.hidden = box.hidden = !isSeen;
    if (!isSeen) return reader.removeAttribute("aria-valuetext");
    line.style.transform = `translate(${area.offsetLeft + xaxis._offset + left}px, ${area.offsetTop + yaxis._offset}px)`;
    line.style.height = `${yaxis._length}px`;
    const rows = lanes().map((lane) => ({ lane, row: rowAt(lane, state.curves.x, places[at], (place) => Math.abs(pixel(place) - left)) }));
    write(rows);
    putAside(left);
    reader.setAttribute("aria-valuenow", at);
    reader.setAttribute("aria-valuetext", spoken(rows));
  }

  function write(rows) {
    const value = valueName();
    const heads = ["", "step", ...(value ? [value] : []), ...Object.values(LEVELS), "timestep"];
    const head = make("tr", "", ...heads.map((text) => make(text ? "th" : "td", "", text)));
    const body = rows.filter(({ row }) => row).map(({ lane, row }) =>
      make(
        "tr",
        "",
        make("th", "", laneLetter(lane.index)),
        make("td", "", stepName(row)),
        ...(value ? [make("td", "value", digits(drawn({ lane: lane.index }, row), 4))] : []),
        ...levelsOf(lane, row).map(({ value }) => make("td", "", digits(value, 4))),
        make("td", "", decimals(row.timestep)),
      ),
    );
    box.replaceChildren(make("table", "", make("thead", "", head), make("tbody", "", ...body, ...pinRows(heads.length, Boolean(value)))));
  }

  // The sigma of a call, and the levels of its step.
  function levelsOf({ rows }, row) {
    const first = row.second_call ? rows[rows.indexOf(row) - 1] : row;
    return Object.entries(LEVELS).map(([name, word]) => ({ word, value: (name === "sigma" ? row : first)?.[name] ?? null }));
  }

  // A pin is one line: where it stands at this place.
  function pinRows(columns, hasValue) {
    return pinned().filter(({ hidden }) => !hidden).flatMap(({ id, label }) => {
      const value = drawn({ pin: id }, null);
      if (!Number.isFinite(value)) return [];
      const name = make("th", "pinned-name", label);
      name.colSpan = 2;
      const rest = make("td");
      rest.colSpan = columns - 3;
      return [make("tr", "", name, make("td", hasValue ? "value" : "", digits(value, 4)), rest)];
    });
  }

  const valueName = () => {
    const { relative, quantity } = state.curves;
    if (relative) return quantity === "sigma" || quantity === "step_size" ? "/ A" : "minus A";
    return quantity === "sigma" ? "" : quantity.replace("_", " ");
  };

  // The height of an owner's line at the place that is read, or at the nearest point of it.
  function drawn(owner, row) {
    const [[key, whose]] = Object.entries(owner);
    const own = area.data.filter(({ meta }) => meta[key] === whose && meta.kind !== "left out");
    const inside = own.find(({ meta }) => row?.second_call && ["midpoint", "second call"].includes(meta.kind));
    const trace = inside ?? own[0];
    if (!trace) return NaN;
    const place = row ? ALONG[state.curves.x](row) : places[at];
    const point = nearest(trace.x, (x) => (x === null ? Infinity : Math.abs(pixel(x) - pixel(place))));
    return trace.y[point] ?? NaN;
  }

  // The numbers stand in the corner that the curve leaves free.
  function putAside(left) {
    const { xaxis, yaxis } = area._fullLayout;
    const isRight = left < xaxis._length / 2;
    const first = area.data.find(({ meta }) => meta.lane >= 0);
    const falls = !first || first.y.at(0) >= first.y.at(-1);
    const isTop = isRight === falls;
    const [width, height] = [box.offsetWidth, box.offsetHeight];
    const x = area.offsetLeft + xaxis._offset + (isRight ? xaxis._length - width - GAP : GAP);
    const least = area.offsetTop + yaxis._offset + 2;
    const y = isTop ? least : Math.max(least, area.offsetTop + yaxis._offset + yaxis._length - height - GAP);
    box.style.transform = `translate(${Math.max(0, Math.min(x, plot.offsetWidth - width))}px, ${y}px)`;
  }

  function spoken(rows) {
    const { x } = state.curves;
    const place = x === "step" ? stepName({ step: Math.floor(places[at]) - 1, second_call: places[at] % 1 > 0 }) : digits(places[at], 4);
    const each = rows.filter(({ row }) => row).map(({ lane, row }) => {
      const levels = levelsOf(lane, row).filter(({ value }) => value !== null);
      return `${letter(lane.index)}: ${levels.map(({ word, value }) => `${word} ${digits(value, 4)}`).join(", ")}, timestep ${decimals(row.timestep)}`;
    });
    return `${PLACES[x]} ${place}. ${each.join(". ")}`;
  }

  function follow({ clientX, target }) {
    if (!usable() || !(target instanceof Element)) return;
    const frame = area.querySelector(".nsewdrag")?.getBoundingClientRect();
    if (!frame || clientX < frame.left || clientX > frame.right) return;
    const next = nearest(places, (place) => Math.abs(pixel(place) - (clientX - frame.left)));
    if (next !== at || box.hidden) read(next);
  }

  const clear = () => read(-1);

  area.addEventListener("pointermove", (event) => event.target.closest(".nsewdrag, .drag") && follow(event));
  area.addEventListener("pointerdown", (event) => event.target.closest(".nsewdrag") && follow(event));
  area.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && document.activeElement !== reader && clear());
  document.addEventListener("pointerdown", ({ target }) => at >= 0 && !plot.contains(target) && clear(), true);
  document.addEventListener("keydown", ({ key }) => key === "Escape" && at >= 0 && clear());
  reader.addEventListener("focus", () => reader.matches(":focus-visible") && at < 0 && read(0));
  reader.addEventListener("blur", clear);
  reader.addEventListener("keydown", (event) => {
    const acts = {
      ArrowLeft: () => read(Math.max(at - 1, 0)),
      ArrowRight: () => read(at + 1),
      Home: () => read(0),
      End: () => read(places.length - 1),
      Enter: seek,
    };
    if (!acts[event.key]) return;
    event.preventDefault();
    acts[event.key]();
  });

  // The run on screen goes to the call that is read.
  function seek() {
    if (at < 0) return;
    const place = places[at];
    const axis = ALONG[state.curves.x];
    let best = { distance: Infinity };
    lanesOnScreen().forEach(({ calls }, lane) => {
      const call = nearest(calls.map(axis), (each) => Math.abs(pixel(each) - pixel(place)));
      const distance = call < 0 ? Infinity : Math.abs(pixel(axis(calls[call])) - pixel(place));
      if (distance < best.distance) best = { distance, call, lane };
    });
    if (best.distance < Infinity) emit("seek", best);
  }

  return { renew, place: () => read(at) };
}
