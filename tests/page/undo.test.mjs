import assert from "node:assert/strict";
import { test } from "node:test";

import { changed, makeHistory } from "../../assets/page/settings/undo.js";

const BASE = { steps: 20, prompt: "a", lanes: { lanes: [{ rho: 0 }, { rho: 0 }], same: true } };

function entriesOf(history) {
  let entries = 0;
  while (history.undo()) entries += 1;
  return entries;
}

test("what was done is undone and done again; a new change ends what could come again", () => {
  const history = makeHistory(BASE);
  history.record({ ...BASE, steps: 7 });
  history.record({ ...BASE, steps: 7, prompt: "b" });
  const { undo, redo } = history;
  const moves = [undo(), undo(), undo(), redo(), redo(), redo()];
  const seen = moves.map((each) => each && [each.steps, each.prompt]);
  assert.deepEqual(seen, [[7, "a"], [20, "a"], null, [7, "a"], [7, "b"], null]);
  history.undo();
  history.record({ ...BASE, steps: 9 });
  assert.equal(history.canRedo(), false);
});

for (const [what, second, entries] of [
  ["typing that goes on is one entry", { typed: true, now: 500 }, 1],
  ["typing after a pause is another", { typed: true, now: 5000 }, 2],
  ["a slow drag is one", { typed: true, now: 5000, patience: Infinity }, 1],
  ["two choices of a menu are two", { typed: false, now: 500 }, 2],
]) {
  test(what, () => {
    const history = makeHistory(BASE);
    history.record({ ...BASE, steps: 1 }, { typed: true, now: 0 });
    history.record({ ...BASE, steps: 12 }, second);
    assert.equal(entriesOf(history), entries);
  });
}

test("two fields are two entries, and what is typed back is none", () => {
  const history = makeHistory(BASE);
  history.record({ ...BASE, steps: 1 }, { typed: true, now: 0 });
  history.record({ ...BASE, steps: 1, prompt: "b" }, { typed: true, now: 1 });
  assert.deepEqual([history.undo().steps, history.undo().steps], [1, 20]);
  history.record({ ...BASE, steps: 1 }, { typed: true, now: 10 });
  history.record(structuredClone(BASE), { typed: true, now: 11 });
  assert.equal(history.canUndo(), false);
});

test("what a model fills in goes with its choice, and at the page's beginning with nothing", () => {
  const history = makeHistory(BASE);
  history.record({ ...BASE, steps: 30 }, { follows: true });
  assert.equal(history.canUndo(), false);
  history.record({ ...BASE, steps: 30, model: "x" });
  history.record({ ...BASE, steps: 4, model: "x" }, { follows: true });
  assert.deepEqual([history.undo().steps, history.canUndo(), history.redo().steps], [30, false, 4]);
});

test("long lists are kept once", () => {
  const history = makeHistory(BASE);
  const long = { ...BASE, lanes: { lanes: [{ sigmas: "x".repeat(1e6) }], same: true } };
  history.record(long);
  history.record({ ...structuredClone(long), steps: 3 });
  const [after, before] = [history.present(), history.undo()];
  assert.equal(after.lanes, before.lanes);
});

test("forms differ by the paths of their fields", () => {
  const form = (lanes, steps = 20) => ({ steps, lanes: { lanes } });
  assert.deepEqual(changed(form([{ rho: 7 }]), form([{ rho: 7 }])), []);
  assert.deepEqual(changed(form([{ rho: 7 }]), form([{ rho: 5 }], 10)), ["steps", "lanes.lanes.0.rho"]);
  assert.deepEqual(changed(form([{ rho: 7 }]), form([{ rho: 7 }, {}])), ["lanes.lanes"]);
  assert.deepEqual(changed({ seed: NaN }, { seed: NaN }), []);
});

test("the oldest of very many entries are let go", () => {
  const history = makeHistory({ steps: 0 });
  for (let steps = 1; steps <= 400; steps++) history.record({ steps });
  assert.equal(entriesOf(history), 300);
});
