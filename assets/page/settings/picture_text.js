// The text in a picture's file, without the picture: a PNG of one pixel's size that carries it. Does not
// touch the DOM.

const PNG = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const TEXTS = ["tEXt", "zTXt", "iTXt", "eXIf"];
const HEADER = [0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0]; // one grey pixel
const EXIF = [0x45, 0x78, 0x69, 0x66, 0, 0]; // how a JPEG's begins
const START_OF_SCAN = 0xda;
const APP1 = 0xe1;

// A small file with all texts and the EXIF of a PNG, JPEG or WebP; null for a file of another kind.
export function picturesText(bytes) {
  const chunks = fromPng(bytes) ?? fromJpeg(bytes) ?? fromWebp(bytes);
  if (!chunks) return null;
  const parts = [["IHDR", Uint8Array.from(HEADER)], ...chunks, ["IEND", new Uint8Array()]];
  return concat([Uint8Array.from(PNG), ...parts.map(([name, data]) => chunk(name, data))]);
}

const begins = (bytes, wanted, at = 0) => wanted.every((byte, index) => bytes[at + index] === byte);
const ascii = (bytes, at, length) => String.fromCharCode(...bytes.subarray(at, at + length));
const view = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function fromPng(bytes) {
  if (!begins(bytes, PNG)) return null;
  const found = [];
  for (let at = PNG.length; at + 12 <= bytes.length; ) {
    const length = view(bytes).getUint32(at);
    const name = ascii(bytes, at + 4, 4);
    if (TEXTS.includes(name)) found.push([name, bytes.subarray(at + 8, at + 8 + length)]);
    at += length + 12;
  }
  return found;
}

function fromJpeg(bytes) {
  if (!begins(bytes, [0xff, 0xd8])) return null;
  const found = [];
  for (let at = 2; at + 4 <= bytes.length && bytes[at] === 0xff && bytes[at + 1] !== START_OF_SCAN; ) {
    const length = view(bytes).getUint16(at + 2);
    if (bytes[at + 1] === APP1 && begins(bytes, EXIF, at + 4)) {
      found.push(["eXIf", bytes.subarray(at + 4 + EXIF.length, at + 2 + length)]);
    }
    at += length + 2;
  }
  return found.slice(0, 1);
}

function fromWebp(bytes) {
  if (ascii(bytes, 0, 4) !== "RIFF" || ascii(bytes, 8, 4) !== "WEBP") return null;
  const found = [];
  for (let at = 12; at + 8 <= bytes.length; ) {
    const length = view(bytes).getUint32(at + 4, true);
    const data = bytes.subarray(at + 8, at + 8 + length);
    if (ascii(bytes, at, 4) === "EXIF") found.push(["eXIf", begins(data, EXIF) ? data.subarray(EXIF.length) : data]);
    at += 8 + length + (length % 2);
  }
  return found.slice(0, 1);
}

function chunk(name, data) {
  const body = concat([Uint8Array.from(name, (letter) => letter.charCodeAt(0)), data]);
  return concat([word(data.length), body, word(crc(body))]);
}

function word(number) {
  const bytes = new Uint8Array(4);
  view(bytes).setUint32(0, number);
  return bytes;
}

function concat(parts) {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function crc(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit += 1) value = (value >>> 1) ^ (0xedb88320 & -(value & 1));
  }
  return (value ^ 0xffffffff) >>> 0;
}
