// The lanes' sigmas as lists, beside those of A1111 and ComfyUI, and the switch to run as they do.

import { applySettings } from "../settings/form.js";
import { laneLetter, make } from "../shared/dom.js";
import { makeFold } from "../shared/folding.js";
import { laneKey, letter } from "../shared/names.js";
import { follow, state } from "../shared/store.js";
import { mergeEqual } from "./lists.js";

export function mount({ element }) {
  const find = (name) => element.querySelector(name);
  const fold = makeFold(element, find(".fold-head"), toggle);
  const lists = () => state.curves?.lists ?? [];

  function show({ answer }) {
    element.toggleAttribute("data-stale", !answer.lists);
    if (!answer.lists) return;
    drawSwitches(true);
    const distinct = mergeEqual(lists());
    find(".differences").replaceChildren(...distinct.filter((each) => each.difference).map(difference));
    if (fold.isOpen()) find("table").replaceChildren(...table(distinct));
  }

  // A switch for each lane, or one for all if they share their settings.
  function drawSwitches(answered) {
    const lanes = state.lanes.same ? [null] : [...lists().keys()];
    const boxes = [...find(".switches").querySelectorAll("input")];
    if (boxes.length === lanes.length && !answered) return; // pressed, and the server has yet to answer
    if (boxes.length !== lanes.length) {
      find(".switches").replaceChildren(...lanes.map((lane) => makeSwitch(lane, lanes.length)));
    }
    [...find(".switches").children].forEach((label, at) => {
      const box = label.querySelector("input");
      box.checked = lists()[at].is;
      label.hidden = !lists()[at].can;
    });
  }

  function makeSwitch(lane, count) {
    const label = make("label", lane === null ? "" : `lane-${laneKey(lane)}`);
    const box = Object.assign(make("input"), { type: "checkbox" });
    box.addEventListener("change", () => {
      const { values } = lists()[lane ?? 0];
      const { modelDefaults } = state.lanes;
      const back = Object.fromEntries(Object.keys(values).map((name) => [name, modelDefaults[name]]));
      applySettings(lane, box.checked ? values : back);
    });
    label.append(box, " ");
    if (count > 1) label.append(make("b", "", letter(lane)), " ");
    label.append("as A1111 / ComfyUI");
    return label;
  }

  function toggle(is) {
    fold.open(is);
    if (is) find("table").replaceChildren(...table(mergeEqual(lists())));
  }

  follow("answer", show);
  follow("lanes", () => lists().length && drawSwitches(false));
}

function difference({ difference, lanes }) {
  const item = make("li");
  item.append(...lettersOf(lanes), difference);
  return item;
}

const lettersOf = (lanes) => lanes.flatMap((lane) => [laneLetter(lane), " "]);

// A row for each step and one for the end; a column for each list, and A1111's beside one that differs.
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
