import assert from "node:assert/strict";
import { test } from "node:test";

import { Moments } from "../../assets/page/viewer/moments.js";

const url = (length) => "x".repeat(length);

test("a moment is found by the call that a lane had made", () => {
  const moments = new Moments();
  for (const call of [0, 3, 7]) moments.add([call, call - 1], [`a${call}`, `b${call}`]);
  assert.deepEqual(moments.at(7, 0).calls, [7, 6]);
  assert.deepEqual(moments.at(5, 0).calls, [3, 2]); // the newest before it
  assert.deepEqual(moments.at(5, 1).calls, [3, 2]);
  assert.deepEqual(moments.at(-1, 0).calls, [0, -1]); // else the first
  assert.equal(new Moments().at(0, 0), null);
});

test("better pictures of the same calls take the place of the earlier ones", () => {
  const moments = new Moments();
  moments.add([4], ["small"]);
  moments.add([4], ["large"]);
  assert.equal(moments.count, 1);
  assert.deepEqual(moments.newest.previews, ["large"]);
});

test("a lane without a new picture keeps its last one, which counts once", () => {
  const moments = new Moments();
  moments.add([0, -1], [url(10), null]);
  moments.add([1, -1], [null, null]);
  moments.add([1, 0], [url(10), url(5)]);
  assert.deepEqual(moments.newest.previews, [url(10), url(5)]);
  assert.equal(moments.characters, 15);
});

test("sixteen lanes of a thousand calls stay within the bound, first and newest among them", () => {
  const most = 2e6;
  const moments = new Moments(most);
  for (let call = 0; call < 1000; call++) {
    const calls = Array(16).fill(call);
    moments.add(calls, calls.map((_, lane) => `${call} ${lane} `.padEnd(6000, "-")));
    assert.ok(moments.characters <= most);
  }
  assert.equal(moments.newest.calls[0], 999);
  assert.equal(moments.at(0, 0).calls[0], 0);
  assert.ok(moments.count >= 10);
  assert.ok(moments.at(500, 0).previews[0].startsWith(`${moments.at(500, 0).calls[0]} 0 `));
});
