import assert from "node:assert/strict";
import { test } from "node:test";

import { mergeEqual } from "../../assets/page/plot/lists.js";

const list = (sigma, a1111 = null) => ({ sigma, a1111, difference: "" });

test("lanes with equal lists share one, in the order of their first lanes", () => {
  const found = mergeEqual([list(["2", "1"]), list(["3"]), list(["2", "1"])]);
  assert.deepEqual(found.map(({ sigma, lanes }) => [sigma, lanes]), [
    [["2", "1"], [0, 2]],
    [["3"], [1]],
  ]);
});

test("equal sigmas beside other lists of A1111 stay apart", () => {
  assert.equal(mergeEqual([list(["2"], ["1"]), list(["2"]), list(["2"], ["1.5"])]).length, 3);
  assert.equal(mergeEqual([list(["2"], ["1", "0"]), list(["2", "1"], ["0"])]).length, 2);
});

test("no lanes, no lists; those given are left as they are", () => {
  assert.deepEqual(mergeEqual([]), []);
  const one = Object.freeze(list(["2"]));
  assert.deepEqual(mergeEqual([one, one])[0].lanes, [0, 1]);
});
