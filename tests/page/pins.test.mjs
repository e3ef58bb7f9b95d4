import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { dashesOf, pin, pinned, restorePins, toggle, unpin, unpinAll } from "../../assets/page/plot/pins.js";
import { subscribe } from "../../assets/page/shared/store.js";

const schedule = (label, steps = 20, lane = { sampler: "dpm2" }) => ({ label, steps, lane });
const labels = () => pinned().map(({ label }) => label);

const kept = new Map();
globalThis.sessionStorage ??= { getItem: (key) => kept.get(key) ?? null, setItem: (key, text) => kept.set(key, text) };

beforeEach(unpinAll);

test("what is pinned gets an id, a dash pattern and a place in the session", () => {
  pin([schedule("DPM2 Karras"), schedule("DPM2 Beta", 10)]);
  assert.deepEqual(labels(), ["DPM2 Karras", "DPM2 Beta"]);
  const [one, other] = pinned();
  assert.notEqual(one.id, other.id);
  assert.notEqual(dashesOf(one), dashesOf(other));
  assert.deepEqual(JSON.parse(kept.get("sampler-explorer-pins")), pinned());
});

test("a schedule that is pinned already comes into sight and is not pinned twice", () => {
  pin([schedule("DPM2")]);
  toggle(pinned()[0].id);
  assert.equal(pinned()[0].hidden, true);
  pin([schedule("DPM2")]);
  assert.deepEqual(pinned().map(({ hidden }) => hidden), [false]);
});

test("two schedules of one name are told apart", () => {
  pin([schedule("DPM2", 20)]);
  pin([schedule("DPM2", 21), schedule("DPM2", 22)]);
  assert.deepEqual(labels(), ["DPM2", "DPM2 (2)", "DPM2 (3)"]);
});

test("dash patterns follow on each other, whatever has been removed", () => {
  pin([schedule("a", 1), schedule("b", 2), schedule("c", 3)]);
  unpin(pinned()[0].id);
  pin([schedule("d", 4)]);
  assert.deepEqual(pinned().map(({ dash }) => dash), [1, 2, 3]);
});

test("an earlier list comes back, and the page hears of every change once", () => {
  let heard = 0;
  const end = subscribe("pins", () => (heard += 1));
  pin([schedule("a"), schedule("b", 9)]);
  const before = pinned();
  unpin(before[1].id);
  restorePins(before);
  assert.deepEqual(pinned(), before);
  assert.equal(heard, 3);
  restorePins(structuredClone(before)); // as it is
  assert.equal(heard, 3);
  end();
});

test("pins live where nothing can be stored", () => {
  const { setItem } = sessionStorage;
  sessionStorage.setItem = () => {
    throw new Error("full");
  };
  pin([schedule("a")]);
  sessionStorage.setItem = setItem;
  assert.deepEqual(labels(), ["a"]);
});
