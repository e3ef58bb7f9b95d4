import assert from "node:assert/strict";
import { test } from "node:test";

import { readEvents } from "../../assets/page/run/event_stream.js";

const bodyOf = (chunks) => ReadableStream.from(chunks.map((chunk) => Uint8Array.from(chunk)));

test("events are read however the stream is cut into pieces, and comments are signs of life", async () => {
  const bytes = [...new TextEncoder().encode('data: {"a":1}\n\n:\n\ndata: {"b":"é\\n"}\n\n')];
  for (const size of [1, 2, 7, bytes.length]) {
    const chunks = [];
    for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.slice(at, at + size));
    const events = [];
    let lives = 0;
    await readEvents(bodyOf(chunks), (event) => events.push(event), () => (lives += 1));
    assert.deepEqual(events, [{ a: 1 }, { b: "é\n" }]);
    assert.ok(lives >= 1);
  }
});

test("an event that was cut in the middle is none, and a stream that breaks is an error", async () => {
  const events = [];
  await readEvents(bodyOf([[...new TextEncoder().encode('data: {"a":1}\n\ndata: {"b"')]]), (event) => events.push(event));
  assert.deepEqual(events, [{ a: 1 }]);
  const broken = new ReadableStream({ pull: (controller) => controller.error(new TypeError("cut")) });
  await assert.rejects(readEvents(broken, () => {}), TypeError);
});
