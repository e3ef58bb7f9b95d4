import assert from "node:assert/strict";
import { test } from "node:test";

import { caption, describeLatent } from "../../assets/page/viewer/captions.js";

test("each view says what it shows", () => {
  assert.match(caption({ view: "denoised" }), /^denoised: the model's prediction of the clean latent at this call, decoded$/);
  assert.match(caption({ view: "noisy" }), /^noisy: the latent .*, decoded; of noise a decoder can make soft blotches$/);
  assert.match(caption({ view: "change" }), /^change since the call before, ×4/);
});

test("a latent says where its grey scale ends, and what is on no scale", () => {
  const scale = { low: -3.14, high: 123.4, channels: 4, finite: true };
  const words = caption({ view: "latent", latent: describeLatent(scale) });
  assert.equal(words, "latent: its 4 channels on one grey scale, black −3.1 to white 123 in all lanes at this call");
  assert.match(describeLatent({ ...scale, finite: false }), /NaN and infinite numbers are black$/);
});

test("a comparison names its lanes", () => {
  assert.match(caption({ view: "denoised", mode: "slider", names: ["A", "B"] }), /^A \| B, denoised: /);
  const words = caption({ view: "noisy", mode: "difference", names: ["C", "A"] });
  assert.equal(words, "C minus A, ×4, of noisy; grey where they are equal");
  assert.match(caption({ view: "change", mode: "difference", names: ["A", "B"] }), /of their changes/);
});
