import assert from "node:assert/strict";
import { afterEach, mock, test } from "node:test";

const SHAPE = [1, 2, 1, 2];
const asked = [];
let answer; // what the server answers to a request for a call

globalThis.window = { gradio_config: { root: "http://server" } };
globalThis.localStorage = { getItem: () => "0".repeat(32), setItem: () => {} };
globalThis.fetch = async (url) => {
  asked.push(url);
  return answer(Number(new URL(url).searchParams.get("call")));
};
const { Latents } = await import("../../assets/page/viewer/latents.js");

const settled = () => new Promise((resolve) => setTimeout(resolve, 5));
afterEach(() => asked.splice(0));

// Blocks of two calls: each number of call n is n + 1, in half precision times a scale of 2.
function block(call) {
  const first = call - (call % 2);
  const buffer = new ArrayBuffer(2 * 4 + 2 * 4 * 2);
  const view = new DataView(buffer);
  for (const at of [0, 1]) {
    view.setFloat32(4 * at, 2 ** (first + at), true);
    for (let i = 0; i < 4; i++) view.setUint16(8 + 8 * at + 2 * i, 0x3c00 + 0x0400 * i, true);
  }
  const headers = new Headers({ "x-latents": JSON.stringify({ first, count: 2, shape: SHAPE }) });
  return { ok: true, headers, arrayBuffer: async () => buffer };
}

test("a block is fetched once, and its calls are there", async () => {
  answer = block;
  let arrived = 0;
  const latents = new Latents("f00", 1, () => (arrived += 1));
  assert.equal(latents.get(3), null);
  await settled();
  assert.equal(arrived, 1);
  const latent = latents.get(3);
  assert.deepEqual([...latent.values], [8, 16, 32, 64]);
  assert.deepEqual([latent.low, latent.high, latent.finite, latent.shape], [8, 64, true, SHAPE]);
  assert.deepEqual([...latents.get(2).values], [4, 8, 16, 32]);
  assert.deepEqual(asked, ["http://server/runs/f00/latents/1?call=3"]);
});

test("while one block comes only the newest wish is kept", async () => {
  answer = block;
  const latents = new Latents("f00", 0, () => {});
  for (const call of [0, 4, 8, 12]) latents.get(call);
  await settled();
  assert.deepEqual(asked.map((url) => url.split("call=")[1]), ["0", "12"]);
});

test("why there are none is said, and nothing is asked again", async () => {
  answer = () => ({ ok: false, status: 404, text: async () => '{"message": "There is no such run."}' });
  let arrived = 0;
  const latents = new Latents("f00", 0, () => (arrived += 1));
  latents.get(0);
  await settled();
  assert.deepEqual([latents.problem, arrived], ["There is no such run.", 1]);
  latents.get(1);
  await settled();
  assert.equal(asked.length, 1);
  assert.match(new Latents("", 0, () => {}).problem, /has not kept this run/);
});

const busy = () => ({ ok: false, status: 429, text: async () => '{"message": "Too many files."}' });
const gone = () => Promise.reject(new TypeError("gone"));
const turns = async () => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
};

for (const [name, failure] of Object.entries({ busy, gone })) {
  test(`a server that is ${name} is asked again after a while by who still looks`, async () => {
    mock.timers.enable({ apis: ["setTimeout"] });
    try {
      answer = failure;
      let looks = true;
      const latents = new Latents("f00", 0, () => looks && latents.get(4));
      latents.get(4);
      await turns();
      assert.notEqual(latents.problemAt(4), "");
      latents.get(6); // moving on does not hammer it
      await turns();
      assert.equal(asked.length, 1);
      mock.timers.tick(3000);
      await turns();
      assert.equal(asked.length, 2);
      answer = block;
      mock.timers.tick(3000);
      await turns();
      assert.equal(asked.length, 3);
      assert.equal(latents.problemAt(4), "");
      assert.deepEqual([...latents.get(4).values], [16, 32, 64, 128]);
      answer = failure;
      latents.get(8);
      await turns();
      assert.equal(latents.problemAt(4), ""); // what is there stays
      assert.notEqual(latents.problemAt(8), "");
      looks = false;
      mock.timers.tick(9000);
      await turns();
      assert.equal(asked.length, 4);
      latents.close();
    } finally {
      mock.timers.reset();
    }
  });
}

test("an answer that is damaged, or a server that is gone, is a sentence", async () => {
  for (const broken of [() => ({ ...block(0), headers: new Headers() }), () => Promise.reject(new TypeError("gone"))]) {
    answer = broken;
    const latents = new Latents("f00", 0, () => {});
    latents.get(0);
    await settled();
    assert.match(latents.problem, /could not be fetched/);
    latents.close();
  }
});
