// One lane's recorded frames: two sheets of pictures, fetched once, and how each view is drawn.

import { decoded, drawNumbers, makeCanvas, paint } from "./decoding.js";
import { amplify, colours, minus } from "./signed.js";
import { fileUrl } from "../shared/dom.js";

const MOST_BYTES = 6e6; // of frames that are kept as pixels: eighty of 128 x 128, say
const NO_FRAMES = { columns: 1, width: 1, height: 1 };
const NAMES = { denoised: "The denoised frames", noisy: "The noisy frames", image: "The finished picture" };
const MISSING = "could not be fetched, or are damaged; the rest is shown.";

export class Film {
  #sheets = {};
  #tiles = new Map(); // sheet and call to pixels, the ones read first at the front
  #failed = {}; // by sheet: a sentence
  #numbers = {}; // the newest picture as numbers, the one before it, and their difference: written over by the next

  // `planned` is the number of calls of the lane's whole run, even if it was stopped.
  constructor({ label, steps, calls, planned = calls.length, approximate = {}, grid = NO_FRAMES, denoised, noisy, image }) {
    Object.assign(this, { label, steps, calls, planned, approximate, grid });
    this.urls = { denoised, noisy, image };
    this.scratch = makeCanvas(grid.width, grid.height).getContext("2d", { willReadFrequently: true });
  }

  // Resolves when every view can be drawn that can be.
  async load() {
    await Promise.all(
      Object.entries(this.urls)
        .filter(([, path]) => path)
        .map(async ([name, path]) => {
          try {
            this.#sheets[name] = await this.#fetch(name, path);
          } catch {
            this.#failed[name] = `${NAMES[name]} ${MISSING}`;
          }
        }),
    );
  }

  async #fetch(name, path) {
    const response = await fetch(fileUrl(path));
    if (!response.ok) throw new Error(`frames: ${response.status}`);
    const sheet = await decoded(await response.blob());
    const { columns, width, height } = this.grid;
    const rows = Math.ceil(this.calls.length / columns);
    const isWhole = name === "image" || (sheet.width >= columns * width && sheet.height >= rows * height);
    if (!isWhole) throw new Error("frames: too few");
    return sheet;
  }

  // Free the decoded pictures; those of a long run are large.
  close() {
    Object.values(this.#sheets).forEach((sheet) => sheet.close());
    this.#sheets = {};
    this.#tiles.clear();
  }

  // Why a view cannot be drawn, a sentence, or "".
  problem(view) {
    return this.#failed[view === "change" ? "denoised" : view] ?? "";
  }

  // `full` is the call's picture in full size, null while there is none.
  draw(canvas, view, call, full) {
    if (view === "change") return drawNumbers(canvas, this.signed(view, call), amplify);
    const whole = this.#whole(view, call) || full;
    if (whole) return paint(canvas, whole);
    const sheet = this.#sheets[view];
    return sheet && paint(canvas, sheet, ...this.#tile(call));
  }

  // What a view shows of a call, as numbers that can be subtracted, good until the next call is asked for; null
  // while there is none. A change is the prediction's since the call before, 0 at the first one. Always of the
  // frames on the sheets: those in full size are compressed each for itself.
  signed(view, call) {
    const name = view === "change" ? "denoised" : view;
    if (!this.#sheets[name]) return null;
    const now = this.#pixels(name, call, "now");
    if (view !== "change") return now;
    const then = this.#pixels(name, Math.max(0, call - 1), "then");
    return (this.#numbers.change = minus(now, then, this.#numbers.change));
  }

  // Are these linear colours, because the run was stopped before its frames were made?
  isApproximate(view, call, full) {
    if (view === "change") return [call, call - 1].some((at) => this.#listed("denoised", at));
    return !(this.#whole(view, call) || full) && this.#listed(view, call);
  }

  // Is this the lane's finished picture?
  isFinished(view, call) {
    return Boolean(this.#whole(view, call));
  }

  #listed(view, call) {
    return Boolean(this.approximate[view]?.includes(call));
  }

  // The lane's finished picture, which is its last call's.
  #whole(view, call) {
    return view === "denoised" && call === this.calls.length - 1 ? this.#sheets.image : null;
  }

  #pixels(name, call, use) {
    return (this.#numbers[use] = colours(this.#read(name, call), this.#numbers[use]));
  }

  // A frame's pixels. They are kept, as a canvas makes new ones whenever it is asked.
  #read(name, call) {
    const key = `${name} ${call}`;
    const kept = this.#tiles.get(key);
    if (kept) return kept;
    const [x, y, width, height] = this.#tile(call);
    this.scratch.drawImage(this.#sheets[name], x, y, width, height, 0, 0, width, height);
    const pixels = this.scratch.getImageData(0, 0, width, height);
    const most = Math.max(2, Math.floor(MOST_BYTES / pixels.data.length));
    if (this.#tiles.size >= most) this.#tiles.delete(this.#tiles.keys().next().value);
    this.#tiles.set(key, pixels);
    return pixels;
  }

  #tile(call) {
    const { columns, width, height } = this.grid;
    return [(call % columns) * width, Math.floor(call / columns) * height, width, height];
  }
}
