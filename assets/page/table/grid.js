// The rows of the table as a grid of which only those in sight are in the page: a thousand steps stay
// quick. The arrow keys and a click choose a row.

import { COLUMNS, sideBySide } from "./rows.js";
import { scrolledTo, visibleRows } from "./visible_rows.js";
import { decimals, digits, MISSING } from "../shared/digits.js";
import { laneLetter, make } from "../shared/dom.js";
import { laneKey, stepName } from "../shared/names.js";
import { tip } from "../shared/tip.js";

const NAMES = {
  sigma: "sigma",
  sigma_next: "next",
  sigma_mid: "mid",
  sigma_down: "down",
  sigma_up: "up",
  timestep: "timestep",
  alpha_bar: "alpha-bar",
  log_snr: "log SNR",
};
const OF_STEPS = ["sigma_next", "sigma_mid", "sigma_down", "sigma_up"]; // in the row of a step's first call
const ROW = matchMedia("(pointer: coarse)").matches ? 44 : 24; // pixels
const PAGE = 10; // rows

// `seek(call, lane)` returns whether the row is to be chosen here, as no run's cursor is.
export function makeGrid(element, { seek }) {
  const scroll = element.querySelector(".scroll");
  const table = element.querySelector("table");
  const [head, body] = [table.tHead, table.tBodies[0]];
  let lanes = [];
  let shown = []; // lanes' numbers
  let theirs = []; // by lane: the sigmas of A1111, or null
  let rows = []; // side by side, then that of the end
  let current = []; // by lane: the call on screen
  let chosen = -1; // the row
  let drawn = { from: 0, to: 0 };

  table.style.setProperty("--row", `${ROW}px`);

  function draw(nowLanes, nowShown, a1111) {
    lanes = nowLanes;
    shown = nowShown;
    theirs = a1111.map((each) => each?.sigma ?? null);
    const places = sideBySide(shown.map((lane) => lanes[lane]));
    const hasEnd = shown.some((lane) => lanes[lane].end !== null);
    rows = [...places, ...(hasEnd ? [{ isEnd: true }] : [])];
    head.replaceChildren(headRow());
    table.setAttribute("aria-rowcount", rows.length + 1);
    table.toggleAttribute("data-wide", shown.length > 1);
    chosen = Math.min(chosen, rows.length - 1);
    drawn = { from: 0, to: 0 };
    window();
  }

  function columnsOf(lane) {
    return COLUMNS.flatMap((name) => (name === "sigma" && theirs[lane] ? [name, "a1111"] : [name]));
  }

  function headRow() {
    const cells = shown.flatMap((lane) =>
      columnsOf(lane).map((name) => {
        const cell = make("th", "", ...(shown.length > 1 ? [laneLetter(lane), " "] : []), NAMES[name] ?? "A1111");
        cell.scope = "col";
        const reason = lanes[lane].missing[name];
        if (reason) tip(cell, reason);
        else cell.dataset.tip = `column.${name}`;
        return cell;
      }),
    );
    const step = make("th", "", "step");
    step.scope = "col";
    step.dataset.tip = "column.step";
    const row = make("tr", "", step, ...cells);
    row.setAttribute("aria-rowindex", 1);
    return row;
  }

  // Draw the rows in sight, where they are not drawn yet.
  function window() {
    const sight = { top: scroll.scrollTop, height: scroll.clientHeight || 400, row: ROW, count: rows.length };
    const next = visibleRows(sight);
    if (next.from === drawn.from && next.to === drawn.to) return;
    drawn = next;
    const made = rows.slice(next.from, next.to).map((row, at) => makeRow(row, next.from + at));
    body.replaceChildren(space(next.from), ...made, space(rows.length - next.to));
    show();
  }

  function makeRow(row, at) {
    const name = make("th", "", row.isEnd ? "end" : stepName(row));
    name.scope = "row";
    const cells = shown.flatMap((lane, position) => {
      const call = row.isEnd ? null : lanes[lane].rows[row.calls[position]];
      return columnsOf(lane).map((column) => makeCell(lane, column, call, row));
    });
    const line = make("tr", "", name, ...cells);
    line.id = `table_row_${at}`;
    line.dataset.at = at;
    line.setAttribute("aria-rowindex", at + 2);
    return line;
  }

  function makeCell(lane, column, call, row) {
    const cell = make("td", `lane-${laneKey(lane)}`, textOf(lane, column, call, row));
    cell.dataset.lane = lane;
    const reason = call && !call.second_call && lanes[lane].missing[column];
    if (reason) cell.title = reason;
    return cell;
  }

  function textOf(lane, column, call, row) {
    if (row.isEnd) {
      if (column === "sigma") return lanes[lane].end === null ? "" : digits(lanes[lane].end);
      return column === "a1111" ? digits(theirs[lane].at(-1)) : "";
    }
    if (!call) return "";
    if (column === "a1111") return call.second_call ? "" : digits(theirs[lane][call.step]);
    if (column === "timestep") return decimals(call.timestep);
    if (OF_STEPS.includes(column) && call[column] === null) return call.second_call ? "" : MISSING;
    return digits(call[column]);
  }

  // Mark the rows of the calls on screen, and bring the first lane's into sight.
  function mark(calls) {
    current = calls;
    chosen = rows.findIndex(isCurrent);
    bring();
  }

  function unmark() {
    current = [];
    show();
  }

  const isCurrent = ({ calls }) => calls?.some((call, position) => call >= 0 && call === current[shown[position]]) ?? false;

  function bring() {
    if (element.closest("[inert]")) return; // in a tab that is not shown, for the time when it is
    if (chosen >= 0) {
      const view = { top: scroll.scrollTop, height: scroll.clientHeight, head: head.offsetHeight, row: ROW };
      const top = scrolledTo(view, chosen);
      if (top !== scroll.scrollTop) scroll.scrollTop = top;
      window();
    }
    show();
  }

  function show() {
    for (const line of body.querySelectorAll("tr[data-at]")) {
      const at = Number(line.dataset.at);
      line.setAttribute("aria-selected", at === chosen);
      const { calls } = rows[at];
      for (const cell of line.querySelectorAll("td")) {
        const lane = Number(cell.dataset.lane);
        const call = calls?.[shown.indexOf(lane)];
        cell.toggleAttribute("data-current", call >= 0 && call === current[lane]);
      }
    }
    const isDrawn = chosen >= drawn.from && chosen < drawn.to;
    if (isDrawn) table.setAttribute("aria-activedescendant", `table_row_${chosen}`);
    else table.removeAttribute("aria-activedescendant");
  }

  function choose(at, lane) {
    const row = rows[at];
    if (!row || row.isEnd) return;
    const position = Math.max(shown.indexOf(lane), 0);
    const of = row.calls[position] >= 0 ? position : row.calls.findIndex((call) => call >= 0);
    if (!seek(row.calls[of], shown[of])) return;
    chosen = at;
    bring();
  }

  table.addEventListener("click", ({ target }) => {
    const line = target.closest("tr[data-at]");
    if (line) choose(Number(line.dataset.at), Number(target.closest("td")?.dataset.lane ?? shown[0]));
  });
  table.addEventListener("keydown", (event) => {
    const last = rows.length - 1 - (rows.at(-1)?.isEnd ? 1 : 0);
    const to = {
      ArrowUp: chosen - 1,
      ArrowDown: chosen + 1,
      Home: 0,
      End: last,
      PageUp: chosen - PAGE,
      PageDown: chosen + PAGE,
    }[event.key];
    if (to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    choose(Math.min(Math.max(to, 0), last), shown[0]);
  });
  scroll.addEventListener("scroll", window, { passive: true });
  new ResizeObserver(window).observe(scroll);

  return { draw, mark, unmark, bring };
}

function space(count) {
  const line = make("tr", "space");
  line.setAttribute("aria-hidden", "true");
  line.style.height = `${count * ROW}px`;
  return line;
}
