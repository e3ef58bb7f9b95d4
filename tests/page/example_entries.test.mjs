// The examples as entries of the history's row.

import assert from "node:assert/strict";
import test from "node:test";

import { besideExamples, exampleEntries } from "../../assets/page/history/example_entries.js";
import { describe, titleOf } from "../../assets/page/history/run_words.js";

const CARDS = [{ key: "one", id: "a".repeat(32), title: "One <b>noise</b>", claim: "It differs.", look: "Call 15.", thumbnail: "examples/a.jpg" }];

test("an entry has what a run's has, and says what it is", () => {
  const [entry] = exampleEntries(CARDS, (path) => `/root/${path}`);
  assert.equal(entry.thumbnail, "/root/examples/a.jpg");
  assert.equal(entry.isExample, true);
  assert.equal(describe(entry), "One <b>noise</b>, recorded example");
  assert.equal(titleOf(entry), "One <b>noise</b>\nIt differs.");
});

test("beside them stands where to look, else what they are", () => {
  assert.deepEqual(besideExamples(CARDS, CARDS[0], true), ["One <b>noise</b>.", "Call 15."]);
  assert.match(besideExamples(CARDS, undefined, true)[1], /^Recorded examples.*kept here\.$/);
  assert.doesNotMatch(besideExamples(CARDS, undefined, false)[1], /kept/);
});

test("without examples the row is what it was", () => {
  assert.deepEqual(exampleEntries([], String), []);
  assert.deepEqual(besideExamples([], undefined, true), ["", "Finished runs are kept here."]);
  assert.deepEqual(besideExamples([], undefined, false), ["", ""]);
});
