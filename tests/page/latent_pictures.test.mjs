import assert from "node:assert/strict";
import { test } from "node:test";

import { greys, scaleOf, shade } from "../../assets/page/viewer/channels.js";
import { fromHalf } from "../../assets/page/viewer/half_precision.js";
import { amplify, colours, minus } from "../../assets/page/viewer/signed.js";

const latent = (values, shape) => ({ shape, values: Float32Array.from(values), low: Math.min(...values), high: Math.max(...values), finite: true });

test("half precision is read to the bit", () => {
  const bits = Uint16Array.from([0x3c00, 0xc000, 0x3555, 0x0001, 0x7bff, 0x8000, 0x7c00, 0xfc00]);
  assert.deepEqual([...fromHalf(bits)].map(Math.fround), [1, -2, 0.333251953125, 2 ** -24, 65504, -0, Infinity, -Infinity]);
  assert.ok(Number.isNaN(fromHalf(Uint16Array.from([0x7e00]))[0]));
  assert.deepEqual([...fromHalf(Uint16Array.from([0x3c00]), 0.25)], [0.25]);
});

test("the channels of all lanes are on one scale", () => {
  const lanes = [latent([-1, 3], [1, 2, 1, 1]), null, latent([-5, 0], [1, 2, 1, 1])];
  assert.deepEqual(scaleOf(lanes), { low: -5, high: 3, channels: 2, finite: true });
  assert.equal(scaleOf([null]), null);
});

test("four channels stand in two rows, a line apart, and black and white are the ends", () => {
  const picture = greys(latent([0, 1, 2, 3], [1, 4, 1, 1]), { low: 0, high: 3 });
  assert.deepEqual([picture.width, picture.height], [3, 3]);
  const red = (x, y) => picture.values[3 * (y * 3 + x)];
  assert.deepEqual([red(0, 0), red(2, 0), red(0, 2), red(2, 2)], [0, 85, 170, 255]);
  assert.deepEqual([...picture.gaps], [0, 1, 0, 1, 1, 1, 0, 1, 0]);
  const data = new Uint8ClampedArray(4 * 9);
  shade(picture, data);
  assert.deepEqual([...data.slice(4 * 8)], [255, 255, 255, 255]);
  assert.equal(data[4 * 4 + 3], 0); // a gap
});

test("sixteen channels, and the pictures of a batch, stand in grids of their own", () => {
  const picture = greys(latent(Array(16 * 3 * 4).fill(1), [3, 16, 2, 2]), { low: 0, high: 1 });
  const side = 4 * 2 + 3;
  assert.deepEqual([picture.width, picture.height], [2 * side + 1, 2 * side + 1]);
  assert.equal([...picture.gaps].filter((gap) => !gap).length, 3 * 16 * 4);
});

test("what is no number is black, and a latent of one value is no division by zero", () => {
  const picture = greys({ shape: [1, 1, 1, 2], values: Float32Array.from([NaN, 2]) }, { low: 2, high: 2 });
  assert.deepEqual([...picture.values], [0, 0, 0, 0, 0, 0]);
});

const pixels = (...numbers) => colours({ width: numbers.length / 4, height: 1, data: Uint8ClampedArray.from(numbers) });

function drawn(picture) {
  const data = new Uint8ClampedArray(4 * picture.width * picture.height);
  amplify(picture, data);
  return [...data];
}

test("a picture minus itself is grey everywhere", () => {
  const one = pixels(7, 250, 128, 255, 0, 9, 200, 255);
  assert.deepEqual(drawn(minus(one, one)), [128, 128, 128, 255, 128, 128, 128, 255]);
  const four = greys(latent([0, 1, 2, 3], [1, 4, 1, 1]), { low: 0, high: 3 });
  const visible = drawn(minus(four, four)).filter((_, at) => !four.gaps[Math.floor(at / 4)]);
  assert.deepEqual(new Set(visible), new Set([128, 255]));
});

test("a difference has its sign and is four times as strong", () => {
  assert.deepEqual(drawn(minus(pixels(10, 20, 30, 255), pixels(12, 20, 25, 255))), [120, 128, 148, 255]);
  assert.deepEqual(drawn(minus(pixels(255, 0, 0, 255), pixels(0, 255, 0, 255))), [255, 0, 128, 255]);
});

test("a picture of another size is brought to the first one's", () => {
  const small = pixels(10, 10, 10, 255);
  const wide = pixels(12, 12, 12, 255, 8, 8, 8, 255);
  assert.deepEqual(drawn(minus(wide, small)), [136, 136, 136, 255, 120, 120, 120, 255]);
});

test("a picture is written over an earlier one that is as large, and over no other", () => {
  const [one, two] = [pixels(10, 20, 30, 255), pixels(12, 20, 25, 255)];
  const earlier = minus(two, one);
  const next = minus(one, two, earlier);
  assert.equal(next.values, earlier.values);
  assert.deepEqual([...next.values], [-2, 0, 5]);
  assert.deepEqual([...one.values], [10, 20, 30]);
  assert.notEqual(colours({ width: 2, height: 1, data: new Uint8ClampedArray(8) }, one).values, one.values);
  const scale = { low: 0, high: 3 };
  const first = greys(latent([0, 1, 2, 3], [1, 4, 1, 1]), scale);
  const second = greys(latent([3, 2, 1, 0], [1, 4, 1, 1]), scale, first);
  assert.equal(second.values, first.values);
  assert.deepEqual(second, greys(latent([3, 2, 1, 0], [1, 4, 1, 1]), scale));
  assert.notEqual(greys(latent([3, 2], [1, 2, 1, 1]), scale, second).values, second.values);
});
