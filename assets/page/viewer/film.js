// One lane's recorded frames: two sheets of pictures, fetched once, and how each view is drawn.

import { fileUrl } from "../shared/dom.js";

export const CHANGE_GAIN = 4;
const NO_FRAMES = { columns: 1, width: 1, height: 1 };
const GREY = 128;

export class Film {
  #sheets = {};

  // `planned` is the number of calls of the lane's whole run, even if it was stopped.
  constructor({ label, steps, calls, planned = calls.length, approximate = {}, grid = NO_FRAMES, denoised, noisy, image }) {
    Object.assign(this, { label, steps, calls, planned, approximate, grid });
    this.urls = { denoised, noisy, image };
    const scratch = new OffscreenCanvas(grid.width, grid.height);
    this.scratch = scratch.getContext("2d", { willReadFrequently: true });
  }

  // Resolves when every view can be drawn.
  load() {
    const fetched = Object.entries(this.urls)
      .filter(([, path]) => path)
      .map(async ([name, path]) => {
        const response = await fetch(fileUrl(path));
        if (!response.ok) throw new Error(`frames: ${response.status}`);
        this.#sheets[name] = await createImageBitmap(await response.blob());
      });
    return Promise.all(fetched);
  }

  // Free the decoded pictures; those of a long run are large.
  close() {
    Object.values(this.#sheets).forEach((sheet) => sheet.close());
    this.#sheets = {};
  }

  // `full` is the call's picture in full size, null while there is none.
  draw(canvas, view, call, full) {
    if (view === "change") return this.#drawChange(canvas, call);
    const whole = this.#whole(view, call) || full;
    if (whole) return paint(canvas, whole, 0, 0, whole.width, whole.height);
    const sheet = this.#sheets[view];
    return sheet && paint(canvas, sheet, ...this.#tile(call));
  }

  // Are these linear colours, because the run was stopped before its frames were made?
  isApproximate(view, call, full) {
    if (view === "change") return [call, call - 1].some((at) => this.#listed("denoised", at));
    return !(this.#whole(view, call) || full) && this.#listed(view, call);
  }

  #listed(view, call) {
    return Boolean(this.approximate[view]?.includes(call));
  }

  // The lane's finished picture, which is its last call's.
  #whole(view, call) {
    return view === "denoised" && call === this.calls.length - 1 ? this.#sheets.image : null;
  }

  // The change of the prediction since the previous call: grey where there is none.
  #drawChange(canvas, call) {
    if (!this.#sheets.denoised) return;
    const now = this.#pixels(call);
    const then = this.#pixels(Math.max(0, call - 1)).data;
    for (let i = 0; i < then.length; i++) {
      if (i % 4 < 3) now.data[i] = GREY + CHANGE_GAIN * (now.data[i] - then[i]);
    }
    resize(canvas, now.width, now.height);
    canvas.getContext("2d").putImageData(now, 0, 0);
  }

  #pixels(call) {
    const [x, y, width, height] = this.#tile(call);
    this.scratch.drawImage(this.#sheets.denoised, x, y, width, height, 0, 0, width, height);
    return this.scratch.getImageData(0, 0, width, height);
  }

  #tile(call) {
    const { columns, width, height } = this.grid;
    return [(call % columns) * width, Math.floor(call / columns) * height, width, height];
  }
}

// Draw a live preview, a data URL, as soon as it is decoded.
export async function paintPreview(canvas, url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  paint(canvas, image, 0, 0, image.naturalWidth, image.naturalHeight);
}

function paint(canvas, source, x, y, width, height) {
  resize(canvas, width, height);
  canvas.getContext("2d").drawImage(source, x, y, width, height, 0, 0, width, height);
}

// Setting a canvas's size clears it, so only when it differs.
function resize(canvas, width, height) {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}
