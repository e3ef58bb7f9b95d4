// The lanes' table: a row for each field with one control per lane, in groups that fold.

import { greyChoices, iconButton, makeControl, showValue } from "./controls.js";
import { acts, condition, differs, lanesOf, refusing, summary } from "./fields.js";
import { icon, make } from "../shared/dom.js";
import { makeFold } from "../shared/folding.js";
import { laneKey, letter } from "../shared/names.js";
import { tip } from "../shared/tip.js";

const CHEVRON = "M5.5 3.5 10 8l-4.5 4.5";
const RESET = "M12.8 6A5.2 5.2 0 1 0 13 9.2M13.2 2.6V6H9.8";
const REMOVE = "M4.5 4.5l7 7M11.5 4.5l-7 7";

// `on` are the actions of a user: set(lane, field, value), remove(lane), reset(lane), read(lane, field, file).
export function makeTable(element, spec, on) {
  const open = new Map(spec.groups.map(({ key, folded }) => [key, !folded]));
  const fields = spec.groups.flatMap((group) => group.fields);
  const samplerNames = new Map(fields.find(({ name }) => name === "sampler").choices.map(([label, key]) => [key, label]));
  // The menus of which some samplers lack a value.
  const limited = new Set(fields.filter(({ name, kind }) => kind === "choice" && name in Object.values(spec.samplers)[0]).map(({ name }) => name));
  let rows = []; // {field, row, cells: [{lane, cell, box}]}
  let folds = []; // {group, section, head, toggle}
  let heads = [];
  let hints = []; // by lane, what an empty box stands for

  // Draw the table for the present lanes; the focus stays where it was.
  function draw(state) {
    const focus = remember(element);
    rows = [];
    element.style.setProperty("--count", state.lanes.length);
    element.dataset.count = state.lanes.length;
    element.toggleAttribute("data-same", state.same && state.lanes.length > 1);
    heads = state.lanes.map((_, lane) => headOf(lane, state));
    folds = spec.groups.map((group) => groupOf(group, state));
    const top = make("div", "lane-heads", make("span", "label"), ...heads);
    element.replaceChildren(make("div", "lane-grid", top, ...folds.map(({ section }) => section)));
    restore(element, focus);
  }

  function headOf(lane, { lanes, same }) {
    const head = make("div", `head lane-${laneKey(lane)}`, make("b", "", letter(lane)));
    const label = same && lanes.length > 1 ? "all lanes" : `lane ${letter(lane)}`;
    head.append(button("reset", `Reset ${label} to the model's defaults`, RESET, () => on.reset(lane)));
    if (lanes.length > 1) head.append(button("remove", `Remove lane ${letter(lane)}`, REMOVE, () => on.remove(lane)));
    return head;
  }

  function groupOf(group, state) {
    const body = make("div", "rows", ...group.fields.map((field) => rowOf(field, state)));
    body.id = `fields_${group.key}`;
    const section = make("section", "fields");
    section.dataset.group = group.key;
    if (!group.title) {
      section.append(body);
      return { group, section };
    }
    const head = make("button", "fold-head", icon(CHEVRON), make("span", "title", group.title), make("span", "summary"));
    head.type = "button";
    head.setAttribute("aria-controls", body.id);
    const fold = makeFold(section, head, toggle);
    function toggle(is) {
      open.set(group.key, is);
      fold.open(is);
    }
    section.append(head, body);
    toggle(open.get(group.key));
    return { group, section, head, toggle };
  }

  function rowOf(field, state) {
    const hint = make("span", "sr-only", [field.help, condition(field, fields)].filter(Boolean).join(" "));
    hint.id = `help_${field.name}`;
    const row = make("div", "field", make("span", "label", make("span", "name", field.label), hint));
    row.dataset.field = field.name;
    tip(row, hint.textContent, { handle: ".label" });
    const number = field.kind === "whole" || field.kind === "real";
    row.firstChild.toggleAttribute("data-drag", number);
    const lanes = lanesOf(field, state);
    const shared = lanes.length < state.lanes.length;
    const cells = lanes.map((lane) => {
      const cell = make("div", `cell lane-${laneKey(lane)}`);
      cell.id = `${laneKey(lane)}_${field.name}`;
      cell.toggleAttribute("data-shared", shared);
      cell.append(
        ...makeControl(field, {
          label: shared || state.lanes.length === 1 ? field.label : `${field.label}, lane ${letter(lane)}`,
          hint: hint.id,
          onValue: (value) => on.set(lane, field.name, value),
          files: spec.files,
          onFile: (file) => on.read(lane, field, file),
        }),
      );
      return { lane, cell, box: cell.firstChild };
    });
    row.append(...cells.map(({ cell }) => cell));
    // Outside the cells, where the setting's control must be the only one.
    row.append(...row.querySelectorAll("input[type=file]"));
    rows.push({ field, row, cells });
    return row;
  }

  // Update every control's value, and show the rows that matter. Cheap: no row is created.
  function refresh(state, defaults) {
    for (const { field, row, cells } of rows) {
      const seen = cells.map(({ lane, cell, box }) => {
        showValue(field, box, state.lanes[lane][field.name]);
        if (field.empty) box.placeholder = hints[lane]?.[field.name] ?? "";
        if (limited.has(field.name)) greyChoices(field, box, (value) => samplerNames.get(refusing(field, value, lane, state, spec.samplers)) ?? "");
        const acting = acts(field, lane, state);
        const kept = differs(field, state.lanes[lane], defaults);
        cell.toggleAttribute("data-idle", !acting);
        cell.toggleAttribute("data-empty", !acting && !kept && !cell.contains(document.activeElement));
        return { acting, kept };
      });
      const idle = !seen.some(({ acting }) => acting);
      // Settings without effect are hidden, unless they were changed: then they must not be lost.
      const lost = idle && !seen.some(({ kept }) => kept);
      row.toggleAttribute("data-idle", idle);
      row.hidden = lost && !row.querySelector(".sentence") && !row.contains(document.activeElement);
    }
    for (const { group, section, head } of folds) {
      section.hidden = [...section.querySelectorAll(".field")].every((row) => row.hidden);
      if (head) head.querySelector(".summary").textContent = summary(group, state, defaults);
    }
    heads.forEach((head, lane) => {
      const reset = head.querySelector(".reset");
      const column = state.lanes[state.same ? 0 : lane];
      reset.disabled = !fields.some((field) => differs(field, column, defaults));
    });
  }

  // Unfold the group of the control with this id.
  function reveal(id) {
    const control = document.getElementById(id);
    const at = folds.find(({ head, section }) => head && control && section.contains(control));
    at?.toggle(true);
    if (at) control.closest(".field").hidden = at.section.hidden = false;
  }

  // Show one lane's column only, or all if `lane` is null; a control that all lanes share stays.
  function only(lane) {
    element.toggleAttribute("data-one", lane !== null);
    const away = (each) => lane !== null && each !== lane;
    heads.forEach((head, at) => head.toggleAttribute("data-away", away(at)));
    for (const { lane: at, cell } of rows.flatMap(({ cells }) => cells)) {
      cell.toggleAttribute("data-away", away(at) && !cell.hasAttribute("data-shared"));
    }
    // A row in which that lane has no control would be a label without anything beside it.
    for (const { row, cells } of rows) {
      const bare = cells.every(({ cell }) => cell.matches("[data-away], [data-empty]"));
      row.toggleAttribute("data-away", lane !== null && bare && !row.querySelector(".sentence"));
    }
    for (const { section } of folds) {
      section.toggleAttribute("data-away", [...section.querySelectorAll(".field")].every((row) => row.hidden || row.hasAttribute("data-away")));
    }
  }

  // The lane of the control with this id, if its column is not shown.
  const awayLane = (id) => rows.flatMap(({ cells }) => cells).find(({ cell }) => cell.id === id && cell.hasAttribute("data-away"))?.lane;

  // Move the table to another place of the page; the focus and the caret stay where they were.
  function moveTo(place) {
    const focus = remember(element);
    place(element);
    restore(element, focus);
  }

  const hint = (placeholders) => (hints = placeholders); // shown by the next refresh

  return { draw, refresh, reveal, hint, only, awayLane, moveTo };
}

function button(name, label, path, pressed) {
  const made = iconButton(name, label, path);
  made.addEventListener("click", pressed);
  return made;
}

// The focus and the caret by the cell's id, since redrawing the table replaces its nodes.
function remember(element) {
  const focused = element.contains(document.activeElement) ? document.activeElement : null;
  const cell = focused?.closest(".cell");
  return cell && { id: cell.id, start: focused.selectionStart, end: focused.selectionEnd };
}

function restore(element, focus) {
  const box = focus && element.querySelector(`#${focus.id} :is(input, select, textarea)`);
  box?.focus({ preventScroll: true });
  if (box && focus.start != null) box.setSelectionRange(focus.start, focus.end);
}
