// Pictures as numbers that may be negative, and their differences. Does not touch the DOM.

import { GAIN } from "./captions.js";

const GREY = 128;

// Room for so many numbers: that of an earlier picture, which is no longer needed, where it fits. Each frame of
// scrubbing would leave megabytes of garbage behind.
const roomIn = (earlier, length) => (earlier?.values.length === length ? earlier.values : new Float32Array(length));

// The red, green and blue of every pixel of `now` minus those of `then`, which is brought to its size:
// { width, height, values, gaps }; gaps are those of channels.js, if any. `earlier` may be written over.
export function minus(now, then, earlier = null) {
  const values = roomIn(earlier, now.values.length);
  const other = fitted(then, now).values;
  for (let i = 0; i < values.length; i++) values[i] = now.values[i] - other[i];
  return { ...now, values };
}

// By the nearest pixels: lanes of very different lengths have frames of different sizes.
function fitted(picture, { width, height }) {
  if (picture.width === width && picture.height === height) return picture;
  const values = new Float32Array(width * height * 3);
  for (let y = 0, to = 0; y < height; y++) {
    const row = Math.floor((y * picture.height) / height) * picture.width;
    for (let x = 0; x < width; x++) {
      const from = 3 * (row + Math.floor((x * picture.width) / width));
      for (let colour = 0; colour < 3; colour++) values[to++] = picture.values[from + colour];
    }
  }
  return { width, height, values };
}

// From a canvas's data, four numbers a pixel. `earlier` may be written over.
export function colours({ width, height, data }, earlier = null) {
  const values = roomIn(earlier, width * height * 3);
  for (let from = 0, to = 0; to < values.length; from += 4, to += 3) {
    values[to] = data[from];
    values[to + 1] = data[from + 1];
    values[to + 2] = data[from + 2];
  }
  return { width, height, values };
}

// Fills a canvas's data with a difference, amplified: mid-grey where it is 0.
export function amplify({ values, gaps }, data) {
  for (let from = 0, to = 0; from < values.length; from += 3, to += 4) {
    data[to] = GREY + GAIN * values[from];
    data[to + 1] = GREY + GAIN * values[from + 1];
    data[to + 2] = GREY + GAIN * values[from + 2];
    data[to + 3] = gaps?.[to / 4] ? 0 : 255;
  }
}
