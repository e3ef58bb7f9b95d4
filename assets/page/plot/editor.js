// Editing on the plot: a lane's sigmas are moved, inserted and removed; the lane gets them as a list.

import { applySettings } from "../settings/form.js";
import { make } from "../shared/dom.js";
import { laneKeys, letter } from "../shared/names.js";
import { set, subscribe } from "../shared/store.js";

const REACH = { mouse: 16, touch: 30 }; // pixels between the pointer and a point
const APART = 1 + 1e-4; // between neighbours, so that the list decreases
const SMALLEST = 1e-4;
const KEY_STEP = 1.02;
const KEYS_REST_MS = 250;
const ANSWER_MS = 5000; // after which the server's curve is shown in any case

export function makeEditor({ element, area, bar, count, redraw }) {
  const plot = element.querySelector(".plot");
  const output = bar.querySelector("output");
  const grips = laneKeys(count).map((lane, index) => makeGrip(lane, index));

  let editing = false;
  let lists = []; // each lane's sigmas from the server; null for a lane without
  let axis = "step";
  const pending = new Map(); // lane -> { sigmas, sentAt }: moved here, not yet drawn by the server
  let chosen = { lane: 0, at: 0 };
  let drag = null; // { lane, before, ranges } while a finger or the mouse holds a point
  let rest = 0;

  const sigmas = (lane) => pending.get(lane)?.sigmas ?? lists[lane];
  const lanes = () => grips.map((_, lane) => lane).filter((lane) => sigmas(lane));

  function makeGrip(lane, index) {
    const grip = make("div", `grip lane-${lane}`);
    Object.assign(grip, { tabIndex: 0, hidden: true });
    grip.setAttribute("role", "slider");
    grip.setAttribute("aria-label", `Sigma of lane ${letter(index)}, a point at a time`);
    grip.addEventListener("focus", () => choose(index, chosen.lane === index ? chosen.at : grip.at));
    grip.addEventListener("keydown", (event) => press(event, index));
    grip.at = 0;
    element.querySelector(".grips").append(grip);
    return grip;
  }

  // --- what the server says, and what is drawn meanwhile ---

  function receive({ points, x }) {
    lists = JSON.parse(points);
    axis = x;
    for (const [lane, { sigmas, sentAt }] of pending) {
      const answered = lists[lane]?.length === sigmas.length && sigmas.every((s, at) => near(s, lists[lane][at]));
      if (answered || !lists[lane] || (drag?.lane !== lane && Date.now() - sentAt > ANSWER_MS)) pending.delete(lane);
    }
    if (!lanes().includes(chosen.lane)) chosen = { lane: lanes()[0] ?? 0, at: 0 };
    showChosen();
  }

  // Apply the moves made here to a figure from the server.
  function amend({ data, layout }) {
    if (drag) {
      layout.hovermode = false;
      for (const [name, range] of Object.entries(drag.ranges)) {
        Object.assign(layout[name], { range: [...range], autorange: false });
      }
    }
    for (const trace of data) {
      const { lane, kind } = trace.meta;
      const moved = pending.get(lane)?.sigmas;
      if (!moved || moved.length !== lists[lane].length) continue;
      if (kind !== "sigma" && kind !== "left out") {
        trace.opacity = 0.25; // of the previous schedule
        continue;
      }
      const from = kind === "sigma" ? trace.meta.first : 0;
      trace.y = trace.y.map((value, at) => moved[from + at] ?? value);
      if (axis === "log_sigma") trace.x = trace.y;
    }
  }

  // --- where the points are ---

  function places(lane) {
    const [rest, main] = ["left out", "sigma"].map((kind) =>
      area.data?.find(({ meta }) => meta.lane === lane && meta.kind === kind),
    );
    if (!main) return [];
    const { xaxis, yaxis } = area._fullLayout;
    const along = [...(rest?.x.slice(0, -1) ?? []), ...main.x];
    return sigmas(lane).map((sigma, at) => [xaxis.d2p(along[at]), yaxis.d2p(sigma)]);
  }

  // Where points of several lanes overlap, the chosen lane's counts.
  function nearest({ clientX, clientY }) {
    const box = area.querySelector(".nsewdrag").getBoundingClientRect();
    let best = { distance: Infinity };
    for (const lane of lanes()) {
      places(lane).forEach(([left, top], at) => {
        const away = Math.hypot(left - (clientX - box.left), top - (clientY - box.top));
        const distance = lane === chosen.lane ? away - 1 : away;
        if (distance < best.distance) best = { distance, lane, at };
      });
    }
    return best;
  }

  const sigmaAt = ({ clientY }) => {
    const { yaxis } = area._fullLayout;
    const { top, height } = area.querySelector(".nsewdrag").getBoundingClientRect();
    return yaxis.p2d(Math.min(Math.max(clientY - top, 0), height));
  };

  function place() {
    plot.toggleAttribute("data-editing", editing);
    bar.hidden = !editing;
    grips.forEach((grip, lane) => {
      grip.hidden = !editing || !sigmas(lane) || !area._fullLayout;
      if (grip.hidden) return;
      grip.toggleAttribute("data-chosen", lane === chosen.lane);
      const at = Math.min(lane === chosen.lane ? chosen.at : grip.at, sigmas(lane).length - 1);
      const [left, top] = places(lane)[at] ?? [];
      const { xaxis, yaxis } = area._fullLayout;
      grip.hidden = !Number.isFinite(left) || !Number.isFinite(top);
      grip.style.transform = `translate(${area.offsetLeft + xaxis._offset + left}px, ${area.offsetTop + yaxis._offset + top}px)`;
      const sigma = sigmas(lane)[at];
      grip.setAttribute("aria-valuenow", sigma);
      grip.setAttribute("aria-valuetext", `step ${at + 1} of ${sigmas(lane).length}, sigma ${sigma.toPrecision(4)}`);
    });
  }

  function showChosen() {
    const list = sigmas(chosen.lane);
    output.textContent = list
      ? `${letter(chosen.lane)}, step ${chosen.at + 1}: sigma ${list[Math.min(chosen.at, list.length - 1)].toPrecision(4)}`
      : "no lane here takes custom sigmas";
    for (const button of bar.querySelectorAll("button")) button.disabled = !list;
    place();
  }

  function choose(lane, at) {
    chosen = { lane, at: Math.min(Math.max(at, 0), sigmas(lane).length - 1) };
    grips[lane].at = chosen.at;
    showChosen();
  }

  // --- what moves them ---

  function keep(lane, list) {
    pending.set(lane, { sigmas: list, sentAt: Date.now() });
    choose(lane, chosen.at);
    redraw();
  }

  function move(lane, at, sigma) {
    const list = sigmas(lane);
    const most = at ? list[at - 1] / APART : Infinity;
    const least = (list[at + 1] ?? SMALLEST) * APART;
    if (!(least <= most)) return;
    const next = Number(Math.min(Math.max(sigma, least), most).toPrecision(6));
    if (next < most * APART && next > least / APART) keep(lane, list.with(at, next));
  }

  function insert(lane, after, sigma) {
    const list = sigmas(lane);
    const next = list[after + 1] ?? Math.max(list[after] / 4, SMALLEST);
    const between = sigma > next && sigma < list[after] ? sigma : Math.sqrt(list[after] * next);
    chosen = { lane, at: after + 1 };
    keep(lane, list.toSpliced(after + 1, 0, Number(between.toPrecision(6))));
    ask(lane);
  }

  function remove(lane, at) {
    if (sigmas(lane).length < 2) return;
    keep(lane, sigmas(lane).toSpliced(at, 1));
    ask(lane);
  }

  function ask(lane) {
    clearTimeout(rest);
    const list = sigmas(lane);
    const waiting = { sigmas: list, sentAt: Date.now() };
    pending.set(lane, waiting);
    setTimeout(() => pending.get(lane) === waiting && pending.delete(lane) && redraw(), ANSWER_MS);
    applySettings(lane, { sigmas: list.map((sigma) => String(Number(sigma.toPrecision(8)))).join(", ") });
  }

  function press(event, lane) {
    const { at } = chosen;
    const far = event.shiftKey ? KEY_STEP ** 5 : KEY_STEP;
    const acts = {
      ArrowLeft: () => choose(lane, at - 1),
      ArrowRight: () => choose(lane, at + 1),
      Home: () => choose(lane, 0),
      End: () => choose(lane, Infinity),
      ArrowUp: () => nudge(lane, far),
      ArrowDown: () => nudge(lane, 1 / far),
      Insert: () => insert(lane, at),
      "+": () => insert(lane, at),
      Delete: () => remove(lane, at),
      Backspace: () => remove(lane, at),
      Escape: () => set({ editing: false }),
    };
    if (!acts[event.key]) return;
    event.preventDefault();
    acts[event.key]();
  }

  function nudge(lane, factor) {
    move(lane, chosen.at, sigmas(lane)[chosen.at] * factor);
    clearTimeout(rest);
    rest = setTimeout(() => ask(lane), KEYS_REST_MS);
  }

  function hold(down) {
    if (!editing || !down.target.closest(".nsewdrag")) return;
    down.stopPropagation();
    down.preventDefault(); // or Plotly captures the mouse, and there are no double clicks
    const { distance, lane, at } = nearest(down);
    if (distance > (REACH[down.pointerType] ?? REACH.mouse)) return;
    choose(lane, at);
    grips[lane].focus({ preventScroll: true });
    const { xaxis, yaxis } = area._fullLayout;
    drag = { lane, before: sigmas(lane), ranges: { xaxis: xaxis.range, yaxis: yaxis.range } };
    const stop = new AbortController();
    let frame = 0;
    const follow = (event) => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(() => drag && move(lane, at, sigmaAt(event)));
    };
    const end = (event) => {
      stop.abort();
      cancelAnimationFrame(frame);
      if (event.type === "pointerup" && event.clientY !== down.clientY) move(lane, at, sigmaAt(event));
      const { before } = drag;
      drag = null;
      if (event.type === "pointercancel") keep(lane, before);
      else if (sigmas(lane) !== before) ask(lane);
    };
    document.addEventListener("pointermove", follow, { signal: stop.signal });
    document.addEventListener("pointerup", end, { signal: stop.signal });
    document.addEventListener("pointercancel", end, { signal: stop.signal });
  }

  // On a point: remove it. Elsewhere: insert one into the chosen lane, if possible at the pointer's
  // height.
  function doubleClick(event) {
    if (!editing || !event.target.closest(".nsewdrag")) return;
    event.stopPropagation();
    const { distance, lane, at } = nearest(event);
    if (distance <= REACH.mouse) return remove(lane, at);
    if (!sigmas(chosen.lane)) return;
    const box = area.querySelector(".nsewdrag").getBoundingClientRect();
    const before = places(chosen.lane).findLastIndex(([left]) => left <= event.clientX - box.left);
    insert(chosen.lane, Math.max(before, 0), sigmaAt(event));
  }

  // Before Plotly and the scrubber get the event.
  area.addEventListener("pointerdown", hold, { capture: true });
  area.addEventListener("dblclick", doubleClick, { capture: true });
  bar.querySelector(".insert").addEventListener("click", () => insert(chosen.lane, chosen.at));
  bar.querySelector(".remove").addEventListener("click", () => remove(chosen.lane, chosen.at));
  subscribe("editing", (state) => {
    editing = state.editing;
    showChosen();
  });

  return { receive, amend, place };
}

const near = (one, other) => Math.abs(one / other - 1) < 1e-5;
