// A table as text: for a spreadsheet, as a file, and its sigmas as other programs take them. Does not
// touch the DOM.

import { letter, stepName } from "../shared/names.js";
import { COLUMNS, sideBySide } from "./rows.js";

const plain = (value) => (value === null || value === undefined ? "" : String(value));

// Rows of plain values, the heads first. `chosen` are the lanes' numbers; several stand side by side.
function grid(lanes, chosen) {
  const shown = chosen.map((lane) => lanes[lane]);
  const heads = chosen.flatMap((lane) => COLUMNS.map((name) => (chosen.length > 1 ? `${letter(lane)} ${name}` : name)));
  const rows = sideBySide(shown).map((row) => [
    stepName(row),
    ...row.calls.flatMap((call, at) => COLUMNS.map((name) => plain(shown[at].rows[call]?.[name]))),
  ]);
  return [["step", ...heads], ...rows];
}

export const tabSeparated = (lanes, chosen) => grid(lanes, chosen).map((row) => row.join("\t")).join("\n");

// A row for each call of each lane. Steps count from 1, as on the page; numbers are whole.
export function commaSeparated(lanes, chosen) {
  const rows = chosen.flatMap((lane) =>
    lanes[lane].rows.map((row, call) => [
      letter(lane),
      call + 1,
      row.step + 1,
      row.second_call ? "second" : "first",
      ...COLUMNS.map((name) => plain(row[name])),
    ]),
  );
  return [["lane", "call", "step", "call_of_step", ...COLUMNS], ...rows].map((row) => row.join(",")).join("\n") + "\n";
}

// One sigma a step, then that of the end.
export function sigmasOf({ rows, end }) {
  return [...rows.filter(({ second_call }) => !second_call).map(({ sigma }) => sigma), end ?? 0];
}

const digits = (sigma) => String(Number(sigma.toPrecision(7)));

// As ComfyUI's nodes for custom sigmas and A1111's extensions take them: commas, the last 0 included.
export const withCommas = (lane) => sigmasOf(lane).map(digits).join(", ");

// As diffusers takes them in `sigmas=`, which appends the last 0 itself.
export function asPython(lane) {
  const sigmas = sigmasOf(lane);
  return `[${(sigmas.at(-1) === 0 ? sigmas.slice(0, -1) : sigmas).map(digits).join(", ")}]`;
}
