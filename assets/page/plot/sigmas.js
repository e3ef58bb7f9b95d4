// The lanes' sigmas as lists, beside those of A1111 and ComfyUI, and the switch to run as they do.

import { LANES, emit, form, on } from "../shared/store.js";

export function mount({ element }) {
  const find = (name) => element.querySelector(name);
  const fold = find(".fold-head");
  let lists = [];

  function show(payload) {
    element.toggleAttribute("data-stale", !payload.lists);
    if (!payload.lists) return;
    lists = payload.lists;
    drawSwitches(true);
    const told = alike(lists);
    find(".differences").replaceChildren(...told.filter((each) => each.difference).map(difference));
    if (element.hasAttribute("data-open")) find("table").replaceChildren(...table(told));
  }

  // A switch a lane, or one for all where they share their settings.
  function drawSwitches(news) {
    const lanes = form.same ? [null] : [...lists.keys()];
    const boxes = [...find(".switches").querySelectorAll("input")];
    if (boxes.length === lanes.length && !news) return; // pressed, and the server has yet to answer
    if (boxes.length !== lanes.length) {
      find(".switches").replaceChildren(...lanes.map((lane) => makeSwitch(lane, lanes.length)));
    }
    [...find(".switches").children].forEach((label, at) => {
      const box = label.querySelector("input");
      box.checked = lists[at].is;
      label.hidden = !lists[at].can;
    });
  }

  function makeSwitch(lane, count) {
    const label = make("label", lane === null ? "" : `lane-${LANES[lane]}`);
    const box = Object.assign(make("input"), { type: "checkbox" });
    box.addEventListener("change", () => {
      const { values } = lists[lane ?? 0];
      const own = Object.fromEntries(Object.keys(values).map((name) => [name, form.own[name]]));
      emit("apply", { lane, values: box.checked ? values : own });
    });
    label.append(box, " ");
    if (count > 1) label.append(make("b", "", LANES[lane].toUpperCase()), " ");
    label.append("as A1111 / ComfyUI");
    return label;
  }

  fold.addEventListener("click", () => {
    const open = !element.hasAttribute("data-open");
    element.toggleAttribute("data-open", open);
    fold.setAttribute("aria-expanded", open);
    if (open) find("table").replaceChildren(...table(alike(lists)));
  });
  on("settings", show);
  on("lanes", () => lists.length && drawSwitches(false));
}

// Lists that are equal as one, with the lanes that have them.
function alike(lists) {
  const found = new Map();
  lists.forEach((list, lane) => {
    const key = [list.sigma, list.a1111].join();
    const known = found.get(key) ?? { ...list, lanes: [] };
    known.lanes.push(lane);
    found.set(key, known);
  });
  return [...found.values()];
}

function difference({ difference, lanes }) {
  const item = make("li");
  item.append(...lettersOf(lanes), difference);
  return item;
}

const lettersOf = (lanes) => lanes.flatMap((lane) => [make("b", `lane-${LANES[lane]}`, LANES[lane].toUpperCase()), " "]);

// A row a step and one for the end; a column a list, and beside one that differs A1111's.
function table(lists) {
  const columns = lists.flatMap(({ sigma, a1111, lanes }) => [
    { head: lettersOf(lanes), cells: sigma },
    ...(a1111 ? [{ head: ["as A1111"], cells: a1111 }] : []),
  ]);
  const last = Math.max(...columns.map(({ cells }) => cells.length)) - 1;
  const head = make("tr");
  head.append(cell("th", ["step"], "col"), ...columns.map((column) => cell("th", column.head, "col")));
  const body = [...Array(last + 1).keys()].map((row) => {
    const line = make("tr");
    const cells = columns.map((column) => cell("td", [column.cells[row] ?? ""]));
    line.append(cell("th", [row === last ? "end" : row + 1], "row"), ...cells);
    return line;
  });
  return [head, ...body];
}

function cell(tag, content, scope = "") {
  const made = make(tag);
  if (scope) made.scope = scope;
  made.append(...content);
  return made;
}

function make(tag, className = "", textContent = "") {
  return Object.assign(document.createElement(tag), { className, textContent });
}
