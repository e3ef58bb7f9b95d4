// The table of model calls in the browser: rows from columns, side by side, as text, and those in sight.

import assert from "node:assert/strict";
import { test } from "node:test";

import { lanesOf, lanesOfCalls, sideBySide } from "../../assets/page/table/rows.js";
import { asPython, commaSeparated, sigmasOf, tabSeparated, withCommas } from "../../assets/page/table/texts.js";
import { scrolledTo, visibleRows } from "../../assets/page/table/visible_rows.js";
import { decimals, digits } from "../../assets/page/shared/digits.js";

const call = (step, second_call, sigma) => ({ step, second_call, sigma, timestep: 100 * sigma });
const CALLS = [call(0, false, 8), call(0, true, 4), call(1, false, 2)];
const columns = (calls) => ({
  label: "DPM2",
  step: calls.map(({ step }) => step),
  second_call: calls.map(({ second_call }) => second_call),
  sigma: calls.map(({ sigma }) => sigma),
  sigma_next: [2, null, 0],
  sigma_mid: [4, null, null],
  sigma_down: [2, null, 0],
  sigma_up: [0, null, 0],
  timestep: calls.map(({ timestep }) => timestep),
  alpha_bar: [0.1, 0.2, 0.3],
  log_snr: [-4, -3, -2],
  sigma_end: 0,
  missing: {},
});
const [DPM2] = lanesOf([columns(CALLS)]);
const [EULER] = lanesOfCalls([{ label: "Euler", calls: [call(0, false, 8), call(1, false, 3), call(2, false, 1)] }]);

test("a row has all that stands in its place in the columns", () => {
  assert.equal(DPM2.rows.length, 3);
  assert.deepEqual(DPM2.rows[0], { ...CALLS[0], sigma_next: 2, sigma_mid: 4, sigma_down: 2, sigma_up: 0, alpha_bar: 0.1, log_snr: -4 });
  assert.equal(DPM2.end, 0);
});

test("a run of which only the calls are known has them, and says what is not known", () => {
  assert.deepEqual(EULER.rows.map(({ sigma_next }) => sigma_next), [3, 1, null]);
  assert.equal(EULER.rows[2].alpha_bar, 0.5);
  assert.equal(EULER.rows[2].log_snr, -0);
  assert.match(EULER.missing.sigma_down, /other settings/);
  assert.equal(EULER.end, null);
});

test("a recorded run of other settings has the levels of its steps", () => {
  const levels = { sigma_next: [2, null, 0], sigma_mid: [4, null, null], sigma_down: [1.5, null, 0] };
  const [lane] = lanesOfCalls([{ label: "DPM2 a", calls: CALLS }], [{ levels }]);
  assert.deepEqual(lane.rows.map(({ sigma_mid }) => sigma_mid), [4, null, null]);
  assert.deepEqual(lane.rows.map(({ sigma_down }) => sigma_down), [1.5, null, 0]);
  assert.deepEqual(lane.rows.map(({ sigma_next }) => sigma_next), [2, null, 0]);
  assert.equal(lane.end, 0);
  assert.deepEqual(Object.keys(lane.missing), ["sigma_up"]);
  assert.match(lane.missing.sigma_up, /record does not have it/);
});

test("a run that was stopped has levels as far as it came", () => {
  const [lane] = lanesOfCalls([{ label: "DPM2", calls: CALLS }], [{ levels: { sigma_mid: [4] } }]);
  assert.deepEqual(lane.rows.map(({ sigma_mid, sigma_next }) => [sigma_mid, sigma_next]), [[4, 2], [null, null], [null, null]]);
  assert.equal(lane.end, null);
});

test("lanes of different lengths and samplers stand side by side by their steps", () => {
  const rows = sideBySide([DPM2, EULER]);
  assert.deepEqual(rows.map(({ step, second_call }) => step + (second_call ? 0.5 : 0)), [0, 0.5, 1, 2]);
  assert.deepEqual(rows.map(({ calls }) => calls), [[0, 0], [1, -1], [2, 1], [-1, 2]]);
});

test("for a spreadsheet every row has as many cells as the heads", () => {
  for (const chosen of [[0], [0, 1]]) {
    const lines = tabSeparated([DPM2, EULER], chosen).split("\n").map((line) => line.split("\t"));
    assert.ok(lines.every((cells) => cells.length === 1 + 8 * chosen.length));
    assert.deepEqual(lines.slice(0, 3).map(([step]) => step), ["step", "1", "1½"]);
  }
  assert.equal(tabSeparated([DPM2, EULER], [0, 1]).split("\t")[1], "A sigma");
});

test("the file has a row for each call of each lane, with whole numbers", () => {
  const lines = commaSeparated([DPM2, EULER], [0, 1]).trimEnd().split("\n");
  assert.equal(lines.length, 1 + 3 + 3);
  assert.equal(lines[2], "A,2,1,second,4,,,,,400,0.2,-3");
  assert.equal(lines[4], "B,1,1,first,8,3,,,,800,0.015384615384615385,-4.1588830833596715");
});

test("lists for other programs end as those want it", () => {
  assert.deepEqual(sigmasOf(DPM2), [8, 2, 0]);
  assert.equal(withCommas(DPM2), "8, 2, 0");
  assert.equal(asPython(DPM2), "[8, 2]"); // diffusers appends the 0
  assert.equal(asPython({ ...DPM2, end: 0.03 }), "[8, 2, 0.03]");
  assert.equal(withCommas({ rows: [{ sigma: 14.614642, second_call: false }], end: 0 }), "14.61464, 0");
});

test("of a thousand rows those in sight are drawn, and some around them", () => {
  const view = { height: 240, row: 24, count: 1999 };
  assert.deepEqual(visibleRows({ ...view, top: 0 }), { from: 0, to: 22 });
  const { from, to } = visibleRows({ ...view, top: 24 * 1000 });
  assert.ok(from < 1000 && to > 1010 && to - from < 60);
  assert.deepEqual(visibleRows({ ...view, top: 24 * 1999 }), { from: 1987, to: 1999 });
  assert.deepEqual(visibleRows({ ...view, top: 24 * 5000 }), { from: 1999, to: 1999 });
  assert.deepEqual(visibleRows({ ...view, top: -50, count: 3 }), { from: 0, to: 3 });
});

test("a row is brought into sight only where it is not", () => {
  const view = { top: 240, height: 264, head: 24, row: 24 };
  assert.equal(scrolledTo(view, 12), 240);
  assert.equal(scrolledTo(view, 3), 72);
  assert.equal(scrolledTo(view, 20), 21 * 24 - 240);
});

test("numbers have their digits and no exponent", () => {
  assert.deepEqual([14.614642, 2, 0.0291676, 0, 99999.4, 0.000012345].map((each) => digits(each)), [
    "14.615", "2.0000", "0.029168", "0", "99999", "0.000012345",
  ]);
  assert.deepEqual([null, undefined, NaN, -Infinity].map((each) => digits(each)), ["–", "–", "–", "–"]);
  assert.equal(digits(-5.36402, 4), "-5.364");
  assert.deepEqual([999, 973.2134, null].map(decimals), ["999", "973.21", "–"]);
});
