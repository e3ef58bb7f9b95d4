import assert from "node:assert/strict";
import { test } from "node:test";

import { playCalls } from "../../assets/page/viewer/playing.js";

// A browser's frames by hand: `at(ms)` calls what asked for the next one.
function withFrames(work) {
  let [now, next] = [0, null];
  const before = [globalThis.requestAnimationFrame, globalThis.cancelAnimationFrame, performance.now];
  globalThis.requestAnimationFrame = (callback) => ((next = callback), 1);
  globalThis.cancelAnimationFrame = () => (next = null);
  performance.now = () => now;
  const at = (ms) => {
    now = ms;
    const callback = next;
    next = null;
    callback?.(ms);
    return next !== null;
  };
  try {
    work(at);
  } finally {
    [globalThis.requestAnimationFrame, globalThis.cancelAnimationFrame, performance.now] = before;
  }
}

function play(first, last, options, times) {
  const seen = [];
  withFrames((at) => {
    playCalls(first, last, (call) => seen.push(call), { ...options, ended: () => seen.push("ended") });
    for (const ms of times) at(ms);
  });
  return seen;
}

test("twelve calls a second to the last one, then it has ended", () => {
  assert.deepEqual(play(0, 3, {}, [0, 84, 167, 251, 400]), [0, 1, 2, 3, "ended"]);
});

test("twice the speed is twice as many", () => {
  assert.deepEqual(play(0, 12, { speed: 2 }, [0, 251]), [0, 6]);
  assert.deepEqual(play(0, 12, { speed: 0.5 }, [0, 251]), [0, 1]);
});

test("a long run is played in ten seconds", () => {
  assert.deepEqual(play(0, 1000, {}, [0, 5001]), [0, 500]);
});

test("a loop rests at the last call, then begins at the first one of the run", () => {
  const seen = play(1, 2, { loop: true }, [0, 100, 500, 900, 901, 985]);
  assert.deepEqual(seen, [1, 2, 0, 1]);
});

test("it stops where it is", () => {
  const seen = [];
  withFrames((at) => {
    const stop = playCalls(0, 9, (call) => seen.push(call));
    at(0);
    stop();
    at(500);
  });
  assert.deepEqual(seen, [0]);
});
