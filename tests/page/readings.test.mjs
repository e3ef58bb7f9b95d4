// Reading the plot: the places of its x axis, each lane's call there, and values relative to lane A.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ALONG, HEIGHT } from "../../assets/page/plot/axes.js";
import { nearest, placesOf, rowAt } from "../../assets/page/plot/readings.js";
import { interpolated, relativeTo } from "../../assets/page/plot/relative.js";

const call = (step, second_call, sigma) => ({ step, second_call, sigma, timestep: 50 * sigma });
const DPM2 = { rows: [call(0, false, 8), call(0, true, 4), call(1, false, 2)] };
const EULER = { rows: [call(0, false, 8), call(1, false, 3), call(2, false, 1)] };
const to = (place) => (each) => Math.abs(each - place);

test("places are each there once, in the order of a run", () => {
  assert.deepEqual(placesOf([DPM2, EULER], "step"), [1, 1.5, 2, 3]);
  assert.deepEqual(placesOf([DPM2, EULER], "log_sigma"), [8, 4, 3, 2, 1]);
  assert.deepEqual(placesOf([DPM2], "timestep"), [400, 200, 100]);
  assert.deepEqual(placesOf([], "step"), []);
});

test("by step a lane stands at the call that it has come to, else at the nearest", () => {
  assert.equal(rowAt(EULER, "step", 1.5, to(1.5)), EULER.rows[0]);
  assert.equal(rowAt(DPM2, "step", 3, to(3)), DPM2.rows[2]);
  assert.equal(rowAt(EULER, "log_sigma", 3.4, to(3.4)), EULER.rows[1]);
  assert.equal(rowAt({ rows: [] }, "step", 1, to(1)), null);
  assert.equal(rowAt({ rows: [] }, "timestep", 1, to(1)), null);
  assert.equal(rowAt({ rows: [call(4, false, 1)] }, "step", 2, to(2)), null); // it begins later
});

test("the nearest of no places is none", () => {
  assert.equal(nearest([], to(1)), -1);
  assert.equal(nearest([5, 2, 1], to(1.6)), 1);
});

test("heights are those that the server draws", () => {
  assert.equal(HEIGHT.log_snr({ sigma: Math.E }), -2);
  assert.equal(HEIGHT.alpha_bar({ sigma: 1 }), 0.5);
  assert.equal(ALONG.step(call(4, true, 1)), 5.5);
});

test("between two places the line is straight, beyond its ends it is not there", () => {
  assert.equal(interpolated([1, 3], [10, 20], 2), 15);
  assert.equal(interpolated([1, 3], [10, 20], 3), 20);
  for (const place of [0.9, 3.1, NaN]) assert.ok(Number.isNaN(interpolated([1, 3], [10, 20], place)));
  assert.ok(Number.isNaN(interpolated([], [], 1)));
});

test("sigmas are divided, by the logarithm between two steps; others are subtracted", () => {
  const ratio = { x: [1, 2], y: [8, 2], ratio: true, share: false };
  assert.ok(Math.abs(relativeTo(ratio, "step", 2, call(0, true, 2), 2) - 0.5) < 1e-12);
  const difference = { x: [50, 400], y: [0.5, 0.1], ratio: false, share: false };
  assert.ok(Math.abs(relativeTo(difference, "timestep", 0.3, call(0, false, 8), 2) - 0.2) < 1e-12);
});

test("lanes of different lengths are compared at the same share of the run", () => {
  const share = { x: [0, 0.5, 1], y: [8, 4, 1], ratio: true, share: true };
  assert.equal(relativeTo(share, "step", 4, call(2, false, 4), 4), 1);
});

test("by log sigma the places are logarithms", () => {
  const line = { x: [Math.log(2), Math.log(8)], y: [1, 3], ratio: false, share: false };
  assert.ok(Math.abs(relativeTo(line, "log_sigma", 5, call(0, false, 4), 2) - 3) < 1e-12);
});
