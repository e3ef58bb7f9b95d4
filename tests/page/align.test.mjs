import assert from "node:assert/strict";
import { test } from "node:test";

import { atSigma, atStep, longest, callsMade } from "../../assets/page/viewer/align.js";

const call = (step, sigma, second_call = false) => ({ step, sigma, second_call });
// DPM2: a second call inside each step but the last; Euler: one call a step.
const dpm2 = [call(0, 10), call(0, 7, true), call(1, 5), call(1, 3, true), call(2, 1)];
const euler = [call(0, 10), call(1, 4), call(2, 1)];

test("the scrubber moves the first of the lanes with the most calls", () => {
  assert.equal(longest([{ calls: euler }, { calls: dpm2 }, { calls: dpm2 }]), 1);
  assert.equal(longest([{ calls: [] }]), 0);
});

test("by step, lanes stand at the same step, midpoints beside midpoints where there are any", () => {
  assert.equal(atStep(dpm2, dpm2[3]), 3);
  assert.equal(atStep(euler, dpm2[3]), 1);
  assert.equal(atStep(dpm2, euler[1]), 2);
  assert.equal(atStep(euler, call(9, 0.1)), 2); // a lane with fewer steps waits at its last
  assert.equal(atStep(dpm2.slice(2), dpm2[0]), 0); // one that begins later at its first
  assert.equal(atStep([], dpm2[0]), -1);
});

test("by sigma, lanes stand at the noise level that is nearest by its logarithm", () => {
  assert.equal(atSigma(euler, call(0, 7)), 0); // 7 is nearer to 10 than to 4 in ratio
  assert.equal(atSigma(euler, call(0, 6)), 1);
  assert.equal(atSigma([], call(0, 6)), -1);
});

test("news of one lane is news of its group; groups take turns", () => {
  const plan = [0, 1, 0, 2].map((group, lane) => ({ group, calls: [dpm2, euler, dpm2, euler][lane] }));
  assert.deepEqual(callsMade(plan, { lane: 2, call: 4 }), [4, 0, 4, 0]);
  assert.deepEqual(callsMade(plan, { lane: 1, call: 2 }), [5, 2, 5, 0]);
  assert.deepEqual(callsMade(plan, { lane: 3, call: 1 }), [5, 3, 5, 1]);
  const together = [dpm2, dpm2].map((calls) => ({ group: 0, calls }));
  assert.deepEqual(callsMade(together, { lane: null, call: 3 }), [3, 3]);
});
