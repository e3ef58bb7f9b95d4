// The small PNG that carries a picture's text: its chunks as the PNG specification has them. That the
// server reads it is tested with pictures in tests/ui/test_page_travel.py.

import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32, deflateSync } from "node:zlib";

import { picturesText } from "../../assets/page/settings/picture_text.js";

const PNG = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

function chunk(name, data) {
  const body = Buffer.concat([Buffer.from(name, "latin1"), Buffer.from(data)]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}

function chunksOf(bytes) {
  const file = Buffer.from(bytes);
  assert.deepEqual(file.subarray(0, 8), PNG);
  const found = [];
  for (let at = 8; at < file.length; ) {
    const length = file.readUInt32BE(at);
    const body = file.subarray(at + 4, at + 8 + length);
    assert.equal(file.readUInt32BE(at + 8 + length), crc32(body), "the check sum");
    found.push([body.subarray(0, 4).toString(), body.subarray(4).toString("latin1")]);
    at += length + 12;
  }
  return found;
}

const pixels = deflateSync(Buffer.alloc(100_000, 7));
const png = (...chunks) =>
  Buffer.concat([PNG, chunk("IHDR", [0, 0, 0, 9, 0, 0, 0, 9, 8, 0, 0, 0, 0]), ...chunks, chunk("IEND", [])]);
const names = (bytes) => chunksOf(bytes).map(([name]) => name);

test("a PNG's texts are kept and its pixels are not, wherever they stand", () => {
  const file = png(
    chunk("tEXt", Buffer.from("parameters\0a boat")),
    chunk("IDAT", pixels),
    chunk("iTXt", Buffer.from("sampler-explorer\0")),
    chunk("gAMA", [0, 0, 0, 1]),
  );
  const small = picturesText(file);
  assert.ok(small.length < 200);
  assert.deepEqual(names(small), ["IHDR", "tEXt", "iTXt", "IEND"]);
  assert.equal(chunksOf(small)[1][1], "parameters\0a boat");
});

test("the EXIF of a JPEG and of a WebP", () => {
  const exif = Buffer.from("II*\0more");
  const app1 = Buffer.concat([Buffer.from([0xff, 0xe1, 0, 2 + 6 + exif.length]), Buffer.from("Exif\0\0"), exif]);
  const other = Buffer.from([0xff, 0xe0, 0, 4, 1, 2]);
  const jpeg = Buffer.concat([Buffer.from([0xff, 0xd8]), other, app1, Buffer.from([0xff, 0xda, 0, 2]), pixels]);
  assert.deepEqual(chunksOf(picturesText(jpeg))[1], ["eXIf", "II*\0more"]);

  const part = (name, data) => {
    const size = Buffer.alloc(4);
    size.writeUInt32LE(data.length);
    return Buffer.concat([Buffer.from(name), size, data, Buffer.alloc(data.length % 2)]);
  };
  const riff = Buffer.concat([Buffer.from("RIFF\0\0\0\0WEBP"), part("VP8 ", pixels), part("EXIF", exif)]);
  assert.deepEqual(chunksOf(picturesText(riff))[1], ["eXIf", "II*\0more"]);
});

test("what is of another kind is left whole, and what is damaged ends somewhere", () => {
  assert.equal(picturesText(Buffer.from("GIF89a")), null);
  assert.equal(picturesText(Buffer.alloc(0)), null);
  const file = png(chunk("tEXt", Buffer.from("a\0b")), chunk("IDAT", pixels));
  for (const length of [8, 9, 30, 60, 200]) picturesText(file.subarray(0, length));
  const huge = Buffer.from(file);
  huge.writeUInt32BE(0xffffffff, 33);
  assert.deepEqual(names(picturesText(huge)), ["IHDR", "tEXt", "IEND"]);
});
