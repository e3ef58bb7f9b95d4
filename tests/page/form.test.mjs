import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { set, state } from "../../assets/page/shared/store.js";

globalThis.window = {}; // where Gradio finds the two functions that it calls
globalThis.CustomEvent ??= class extends Event {
  constructor(name, { detail }) {
    super(name);
    this.detail = detail;
  }
};
const { applySettings, connect, fillForm } = await import("../../assets/page/settings/form.js");
const gradio = window.samplerExplorerForm;

const NAMES = ["prompt", "steps", "lanes"];
const LEFT = { __type__: "update" }; // what Gradio takes for a control that is to stay as it is
const lane = (sampler, rho = 7) => ({ sampler, rho });

let triggered = [];
const holds = (lanes, same = false) => set({ lanes: { ...state.lanes, value: { lanes, same } } });

beforeEach(() => {
  triggered = [];
  connect({ names: NAMES, trigger: (event) => triggered.push(event) });
  gradio.changed(["a boat", 20, null]);
  gradio.wanted();
  holds([lane("dpm2"), lane("dpm2_a")]);
});

test("the page asks for the form when it comes up, and keeps it as plain data", () => {
  assert.deepEqual(triggered.slice(0, 1), ["ask"]);
  assert.deepEqual(state.form, { prompt: "a boat", steps: 20, lanes: null });
});

test("only what is named is filled; the rest stays as it is by then", () => {
  fillForm({ steps: 5, pony: 1 });
  assert.equal(triggered.at(-1), "fill");
  assert.deepEqual(gradio.wanted(), [LEFT, 5, LEFT]);
  assert.deepEqual(gradio.wanted(), [LEFT, LEFT, LEFT]); // fetched once
});

test("what is asked for twice before Gradio comes is filled together", () => {
  fillForm({ steps: 5 });
  fillForm({ prompt: "b", steps: 6 });
  assert.deepEqual(gradio.wanted(), ["b", 6, LEFT]);
});

test("settings of one lane, of all, and of the run", () => {
  applySettings(1, { rho: 3, steps: 9 });
  assert.deepEqual(gradio.wanted(), [LEFT, 9, { lanes: [lane("dpm2"), lane("dpm2_a", 3)], same: false }]);
  holds([lane("dpm2"), lane("dpm2_a")]);
  applySettings(null, { rho: 3 });
  assert.deepEqual(gradio.wanted()[2].lanes, [lane("dpm2", 3), lane("dpm2_a", 3)]);
  holds([lane("dpm2"), lane("dpm2_a")], true);
  applySettings(1, { rho: 3, sampler: "euler" }); // shared but for the sampler
  assert.deepEqual(gradio.wanted()[2].lanes, [lane("dpm2", 3), lane("euler", 3)]);
  holds([lane("dpm2")]);
  applySettings(9, { rho: 3 }); // no such lane
  assert.deepEqual(gradio.wanted()[2].lanes, [lane("dpm2")]);
});

test("a second change reaches the lanes that the first one is still on its way to", () => {
  applySettings(0, { rho: 1 });
  const first = gradio.wanted();
  applySettings(1, { rho: 2 });
  const second = gradio.wanted();
  assert.deepEqual(first[2].lanes, [lane("dpm2", 1), lane("dpm2_a")]);
  assert.deepEqual(second[2].lanes, [lane("dpm2", 1), lane("dpm2_a", 2)]);
  holds([lane("dpm2", 5), lane("dpm2_a", 2)]); // the table holds something newer
  applySettings(1, { rho: 4 });
  assert.deepEqual(gradio.wanted()[2].lanes, [lane("dpm2", 5), lane("dpm2_a", 4)]);
});

test("what is asked for before the form is known is filled when it is", () => {
  set({ form: null });
  fillForm({ steps: 5 });
  assert.deepEqual(triggered.filter((event) => event === "fill"), []);
  gradio.changed(["a boat", 20, null]);
  assert.equal(triggered.at(-1), "fill");
  assert.deepEqual(gradio.wanted(), [LEFT, 5, LEFT]);
});
