import assert from "node:assert/strict";
import { test } from "node:test";

import { acts, columnsOf, condition, differs, lineOf, nextColumn, refusing, summary } from "../../assets/page/settings/fields.js";

const sampler = { name: "sampler", label: "Sampler", kind: "choice", when: {}, auto: {}, choices: [["DPM2", "dpm2"], ["Euler", "euler"]] };
const type = { name: "type", label: "Schedule type", kind: "choice", when: {}, auto: {}, choices: [["auto", "auto"], ["Karras", "karras"], ["Beta", "beta"]] };
const rho = { name: "rho", label: "Rho", kind: "real", choices: [], when: { type: ["karras"] }, auto: { type: { dpm2: "karras" } } };
const sigmas = { name: "sigmas", label: "Sigmas", kind: "list", choices: [], when: {}, auto: {} };
const all = [sampler, type, rho, sigmas];
const lane = (more = {}) => ({ sampler: "dpm2", type: "beta", rho: 7, sigmas: "", ...more });

test("under one set of settings all columns are lane A's, but for their samplers", () => {
  const lanes = [lane({ rho: 5 }), lane({ sampler: "euler", rho: 9 })];
  assert.deepEqual(columnsOf({ lanes, same: true })[1], lane({ sampler: "euler", rho: 5 }));
  assert.deepEqual(columnsOf({ lanes, same: false }), lanes);
});

test("a field acts where its condition holds, and where a sampler's automatic choice makes it hold", () => {
  const state = { same: false, lanes: [lane(), lane({ type: "karras" }), lane({ type: "auto" }), lane({ sampler: "euler", type: "auto" })] };
  assert.deepEqual(state.lanes.map((_, at) => acts(rho, at, state)), [false, true, true, false]);
  const shared = { same: true, lanes: [lane({ sampler: "euler", type: "auto" }), lane()] };
  assert.equal(acts(rho, 0, shared), true); // one control for all: in lane B it acts
  assert.equal(condition(rho, all), "Only with Schedule type Karras or auto of DPM2.");
  assert.equal(condition(type, all), "");
});

test("numbers and lists are equal in many spellings", () => {
  const defaults = { rho: 7, sigmas: null, type: "beta" };
  assert.equal(differs(rho, lane({ rho: "7.0" }), defaults), false);
  assert.equal(differs(rho, lane({ rho: "" }), defaults), true);
  assert.equal(differs(sigmas, lane({ sigmas: "[10 2,5]" }), { sigmas: [10, 2, 5] }), false);
  assert.equal(differs(sigmas, lane({ sigmas: "10" }), defaults), true);
  assert.equal(differs(sampler, lane({ sampler: "euler" }), defaults), false); // no model has a default for it
});

test("a group says in one line what differs, by lane where not in all", () => {
  const defaults = { rho: 7, type: "beta", sigmas: "" };
  const group = { fields: [type, rho, sigmas] };
  const lanes = [lane({ rho: 5, type: "karras" }), lane({ rho: 5, sigmas: "9 1" })];
  assert.equal(summary(group, { lanes, same: false }, defaults), "A: Schedule type Karras, Rho 5, B: Sigmas custom");
  const named = { fields: [type, rho, { ...sigmas, label: "Custom sigmas" }] };
  assert.match(summary(named, { lanes, same: false }, defaults), /, B: Custom sigmas$/);
});

test("a new lane takes the next sampler and leaves what that cannot do", () => {
  const samplers = { dpm2: { type: ["karras", "beta"], sigmas: [true, false] }, euler: { type: ["karras"], sigmas: [false] } };
  const held = lane({ sigmas: "9 1" });
  const added = nextColumn({ lanes: [held], same: false }, samplers, { type: "beta" });
  assert.deepEqual(added, lane({ sampler: "euler", type: "karras", sigmas: "" }));
  const shared = nextColumn({ lanes: [held], same: true }, samplers, {});
  assert.deepEqual(shared, held); // no other sampler can do it
});

test("a value that a lane's sampler lacks is known by that sampler, under one set of settings by any lane's", () => {
  const samplers = { dpm2: { type: ["karras", "beta"] }, euler: { type: ["karras"] } };
  const lanes = [lane(), lane({ sampler: "euler" })];
  const of = (value, at, same) => refusing(type, value, at, { lanes, same }, samplers);
  assert.deepEqual([of("beta", 0, false), of("beta", 1, false), of("karras", 1, false)], ["", "euler", ""]);
  assert.equal(of("beta", 0, true), "euler");
  assert.equal(refusing(rho, 7, 1, { lanes, same: false }, samplers), ""); // no sampler lists its values
});

test("a lane's line says its sampler and what it changes, and nothing that all share or that does not act", () => {
  const groups = [{ fields: [sampler] }, { fields: [type, rho, sigmas] }];
  const defaults = { type: "auto", rho: 7, sigmas: null };
  const lanes = [lane({ type: "auto" }), lane({ sampler: "euler", type: "karras", rho: 5 }), lane({ rho: 3 })];
  const line = (at, same = false) => lineOf(at, { same, lanes }, groups, defaults);
  assert.deepEqual(line(0), { sampler: "DPM2", differs: "" });
  assert.deepEqual(line(1), { sampler: "Euler", differs: "Schedule type Karras, Rho 5" });
  assert.deepEqual(line(2), { sampler: "DPM2", differs: "Schedule type Beta" });
  assert.deepEqual(line(1, true), { sampler: "Euler", differs: "" });
});
