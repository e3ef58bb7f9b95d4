import assert from "node:assert/strict";
import { test } from "node:test";

import { changesText } from "../../assets/page/settings/changes.js";

const FIELDS = {
  prompt: { label: "Prompt" },
  steps: { label: "Steps" },
  rng: { label: "RNG", choices: [["CPU", "cpu"], ["GPU", "gpu"]] },
  init_image: { label: "Start picture" },
};
const LANE = { sampler: { label: "Sampler", choices: [["DPM2", "dpm2"], ["DPM2 a", "dpm2_a"]] }, rho: { label: "Rho" } };
const lane = (sampler, rho = 7) => ({ sampler, rho });
const form = (more = {}, ...lanes) => ({
  ...{ prompt: "a boat", steps: 20, rng: "cpu", init_image: null },
  ...more,
  lanes: { lanes: lanes.length ? lanes : [lane("dpm2"), lane("dpm2_a")], same: true },
});
const text = (before, after) => changesText(before, after, FIELDS, LANE);

test("equal forms have none", () => assert.equal(text(form(), form()), ""));

test("settings of the run by their labels", () => {
  assert.equal(text(form(), form({ steps: 9, rng: "gpu" })), "Changed: Steps 9, RNG GPU.");
  assert.equal(text(form({ init_image: { path: "x" } }), form()), "Changed: Start picture none.");
  assert.equal(text(form(), form({ prompt: "x".repeat(99) })), `Changed: Prompt ${"x".repeat(32)}….`);
});

test("what all lanes share once, else by their letters", () => {
  assert.equal(text(form(), form({}, lane("dpm2", 5), lane("dpm2_a", 5))), "Changed: Rho 5.");
  assert.equal(text(form(), form({}, lane("dpm2", 5), lane("dpm2_a", 3))), "Changed: A: Rho 5, B: Rho 3.");
  assert.equal(text(form(), form({}, lane("dpm2"), lane("dpm2_a", 3))), "Changed: B: Rho 3.");
});

test("how many lanes there are", () => {
  assert.equal(text(form(), form({}, lane("dpm2_a"))), "Changed: 1 lane, Sampler DPM2 a.");
  assert.equal(text(form({}, lane("dpm2")), form()), "Changed: 2 lanes, B: Sampler DPM2 a.");
});

test("a part of a form, and very many changes", () => {
  assert.equal(changesText(form(), { steps: 3 }, FIELDS, LANE), "Changed: Steps 3.");
  const many = Object.fromEntries(Array.from({ length: 30 }, (_, at) => [`f${at}`, { label: `F${at}` }]));
  const values = Object.fromEntries(Object.keys(many).map((name) => [name, 1]));
  assert.ok(changesText({}, values, many, {}).endsWith("F23 1 and 6 more."));
});
