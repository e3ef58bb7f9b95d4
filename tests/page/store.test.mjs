import assert from "node:assert/strict";
import { test } from "node:test";

import { makeStore } from "../../assets/page/shared/store.js";

test("whoever subscribes to a key hears of its changes, and of no others", () => {
  const { set, subscribe, state } = makeStore({ run: "idle", pins: [] });
  const heard = [];
  subscribe("run", ({ run }) => heard.push(run));
  set({ run: "running" });
  set({ pins: [1] });
  set({ run: "running" }); // as it is: no change
  set({ run: "done" });
  assert.deepEqual(heard, ["running", "done"]);
  assert.deepEqual(state, { run: "done", pins: [1] });
});

test("a patch of several keys is heard of once, when all of it is there", () => {
  const { set, subscribe } = makeStore({ answer: null, curves: null });
  const heard = [];
  subscribe(["answer", "curves"], (state) => heard.push({ ...state }));
  set({ answer: 1, curves: 2 });
  assert.deepEqual(heard, [{ answer: 1, curves: 2 }]);
});

test("what is subscribed to can be left again, by a listener too", () => {
  const { set, subscribe } = makeStore({ run: 0 });
  const heard = [];
  const end = subscribe("run", ({ run }) => {
    heard.push(run);
    end();
  });
  subscribe("run", ({ run }) => heard.push(-run));
  set({ run: 1 });
  set({ run: 2 });
  assert.deepEqual(heard, [1, -1, -2]);
});

test("following calls at once where something is known, and only then", () => {
  const { set, follow } = makeStore({ answer: null, pins: [] });
  const heard = [];
  follow("answer", ({ answer }) => heard.push(answer));
  assert.deepEqual(heard, []);
  set({ answer: "first" });
  follow("answer", ({ answer }) => heard.push(`late ${answer}`));
  follow(["answer", "pins"], ({ pins }) => heard.push(pins.length));
  assert.deepEqual(heard, ["first", "late first", 0]);
});

test("known waits for a key, or does not", async () => {
  const { set, known } = makeStore({ curves: null });
  const waiting = known("curves");
  set({ curves: "drawn" });
  assert.equal(await waiting, "drawn");
  assert.equal(await known("curves"), "drawn");
});

test("a listener's fault is reported and is no other's", (context) => {
  const { set, subscribe } = makeStore({ run: 0 });
  const reported = context.mock.method(console, "error", () => {});
  const heard = [];
  subscribe("run", () => {
    throw new Error("broken");
  });
  subscribe("run", ({ run }) => heard.push(run));
  set({ run: 1 });
  assert.deepEqual(heard, [1]);
  assert.equal(reported.mock.callCount(), 1);
});

test("a key that the state does not have is a mistake", () => {
  const { set, subscribe, state } = makeStore({ run: 0 });
  assert.throws(() => set({ run: 1, rum: 1 }), /no "rum"/);
  assert.throws(() => subscribe(["run", "rum"], () => {}), /no "rum"/);
  assert.deepEqual(state, { run: 0 });
});

test("what a listener sets reaches everybody, the newest last", () => {
  const { set, subscribe } = makeStore({ run: 0, frame: 0 });
  const heard = [];
  subscribe("run", ({ run }) => set({ frame: run * 10 }));
  subscribe(["run", "frame"], ({ run, frame }) => heard.push([run, frame]));
  set({ run: 1 });
  assert.deepEqual(heard.at(-1), [1, 10]);
});
