import assert from "node:assert/strict";
import { test } from "node:test";

import { withPreset } from "../../assets/page/settings/field_presets.js";
import { fileText, isPresets, makePresets } from "../../assets/page/settings/user_presets.js";

function makeBrowser() {
  const map = new Map();
  const storage = { getItem: (key) => map.get(key) ?? null, setItem: (key, text) => map.set(key, text) };
  return { map, make: () => makePresets(() => storage) };
}

const FORM = { prompt: "a boat", seed: 3, model: "x", refiner: "y", init_image: {}, steps: 9, lanes: { lanes: [{}], same: true } };
const KEPT = { steps: 9, lanes: FORM.lanes };

test("a preset is saved without what is drawn and by which model, and is there on the next page", () => {
  const browser = makeBrowser();
  assert.deepEqual(browser.make().save("  my   run ", FORM), { replaced: false, kept: true });
  assert.deepEqual(browser.make().all(), [{ name: "my run", values: KEPT }]);
});

test("one of the same name is replaced; names are changed and deleted; the list can be set back", () => {
  const presets = makeBrowser().make();
  presets.save("a", FORM);
  presets.save("b", FORM);
  const before = presets.all();
  assert.ok(presets.save("a", { ...FORM, steps: 1 }).replaced);
  assert.deepEqual(presets.all().map(({ name, values }) => [name, values.steps]), [["b", 9], ["a", 1]]);
  presets.rename("a", "c");
  presets.remove("b");
  assert.deepEqual(presets.all().map(({ name }) => name), ["c"]);
  presets.set(before);
  assert.deepEqual(presets.all().map(({ name }) => name), ["a", "b"]);
  assert.throws(() => presets.rename("a", "b"), /There is a preset b already/);
  assert.throws(() => presets.save("  ", FORM), /Give the preset a name/);
  assert.throws(() => presets.save("x".repeat(81), FORM), /at most 80 characters/);
});

test("there is an end to them", () => {
  const presets = makeBrowser().make();
  for (let at = 0; at < 100; at += 1) presets.save(`p${at}`, FORM);
  assert.throws(() => presets.save("one more", FORM), /100 presets are the most/);
  presets.save("p7", FORM); // in place of itself
});

test("their file brings them to another browser, beside its own", () => {
  const presets = makeBrowser().make();
  presets.save("a", FORM);
  presets.save("b", FORM);
  const other = makeBrowser().make();
  other.save("b", { ...FORM, steps: 1 });
  other.save("c", FORM);
  assert.deepEqual(other.add(presets.text()), { added: 2, replaced: 1, kept: true });
  assert.deepEqual(other.all().map(({ name, values }) => [name, values.steps]), [["c", 9], ["a", 9], ["b", 9]]);
  assert.ok(isPresets(presets.text()));
  assert.ok(!isPresets('{"steps": 3}'));
});

test("what is no file of presets is a sentence, and changes nothing", () => {
  const presets = makeBrowser().make();
  presets.save("a", FORM);
  const many = Array.from({ length: 100 }, (_, at) => ({ name: `p${at}`, values: {} }));
  for (const [text, sentence] of [
    ["", /not JSON/],
    ["[]", /no presets of this program/],
    ['{"format": "x"}', /no presets of this program/],
    ['{"format": "sampler-explorer presets", "version": 2}', /newer version/],
    ['{"format": "sampler-explorer presets"}', /newer version/],
    ['{"format": "sampler-explorer presets", "version": 1, "presets": 3}', /no presets in this file/],
    [fileText([{ name: 3, values: {} }, { name: "x" }, null, { name: " x", values: {} }, { name: "y", values: [] }]), /no presets in/],
    [fileText(many), /100 presets are the most/],
  ]) {
    assert.throws(() => presets.add(text), sentence, text);
    assert.deepEqual(presets.all().map(({ name }) => name), ["a"]);
  }
});

test("without storage they last as long as the page, and damaged ones are none", () => {
  const none = makePresets(() => {
    throw new Error("forbidden");
  });
  assert.deepEqual(none.save("a", FORM), { replaced: false, kept: false });
  assert.equal(none.all().length, 1);
  const browser = makeBrowser();
  browser.map.set("sampler-explorer.presets", "{");
  assert.deepEqual(browser.make().all(), []);
});

const lane = (sampler, rho = 1) => ({ sampler, rho, beta_end: 0.02 });
const PRESET = { lane: { rho: 7 } };

test("a preset of the field is for the two samplers", () => {
  const table = { lanes: [lane("dpm2"), lane("euler"), lane("dpm2_a")], same: false };
  assert.deepEqual(withPreset(table, PRESET, {}), { lanes: [lane("dpm2", 7), lane("euler"), lane("dpm2_a", 7)], same: false });
});

test("where lanes share their settings, all have it", () => {
  const table = { lanes: [lane("euler"), lane("dpm2_a")], same: true };
  assert.deepEqual(withPreset(table, PRESET, {}).lanes, [lane("euler", 7), lane("dpm2_a", 7)]);
});

test("without a lane of the two, they replace what is there", () => {
  const table = { lanes: [lane("euler"), lane("ddim"), lane("euler")], same: false };
  const two = ["dpm2", "dpm2_a"].map((sampler) => ({ sampler, rho: 7, beta_end: 0.01 }));
  assert.deepEqual(withPreset(table, PRESET, { beta_end: 0.01 }), { lanes: two, same: true });
});
