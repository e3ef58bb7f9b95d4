// The pictures of a run that goes on: the lanes' newest predictions, and those before them.

import { longest } from "./align.js";
import { decoded, makeCanvas, paint } from "./decoding.js";
import { Moments } from "./moments.js";
import { colours } from "./signed.js";

const DECODED = 48; // pictures that are kept decoded

export class Live {
  isLive = true;
  follows = true; // is the newest moment on screen?
  view = "denoised"; // the only one there is
  #moments = new Moments();
  #moment = null; // the one on screen
  #pictures = new Map(); // data URL to picture, null while it is decoded; the ones asked for last at the end
  #arrived;
  #scratch = null;
  #numbers = []; // by lane: its newest picture as numbers, which the next one is written over

  // `lanes` is the run's plan.
  constructor(lanes, arrived) {
    this.lanes = lanes;
    this.#arrived = arrived;
  }

  // The longest of the lanes that have begun at the moment on screen: others run after them.
  get lead() {
    return longest(this.lanes.map(({ calls }, lane) => ({ calls: this.cursor[lane] < 0 ? [] : calls })));
  }

  get cursor() {
    return this.#moment?.calls ?? this.lanes.map(() => -1);
  }

  add(calls, previews) {
    this.#moments.add(calls, previews);
    if (this.follows || !this.#moment) this.#moment = this.#moments.newest;
  }

  // Show the moment at which the lane had made this call; from the newest on, follow the run.
  seek(call, lead) {
    const { newest } = this.#moments;
    this.follows = !newest || call >= newest.calls[lead];
    this.#moment = this.follows ? newest : this.#moments.at(call, lead);
  }

  paint(canvas, lane) {
    canvas.removeAttribute("data-pixels");
    const picture = this.#picture(lane);
    if (picture) paint(canvas, picture);
  }

  signed(lane) {
    const picture = this.#picture(lane);
    if (!picture) return null;
    const { width, height } = picture;
    this.#scratch ??= makeCanvas(width, height).getContext("2d", { willReadFrequently: true });
    paint(this.#scratch.canvas, picture);
    return (this.#numbers[lane] = colours(this.#scratch.getImageData(0, 0, width, height), this.#numbers[lane]));
  }

  isApproximate = () => false;
  problem = () => "";
  finished = () => "";
  latentInWords = "";
  look() {}

  close() {
    this.#pictures.forEach((picture) => picture?.close());
    this.#pictures.clear();
    this.#arrived = () => {};
  }

  // The lane's picture, or the last one that is decoded of it; null while there is none.
  #picture(lane) {
    const url = this.#moment?.previews[lane];
    if (!url) return null;
    const picture = this.#pictures.get(url) ?? null;
    if (picture) {
      this.#pictures.delete(url);
      this.#pictures.set(url, picture);
    } else if (!this.#pictures.has(url)) {
      this.#decode(url);
    }
    return picture;
  }

  async #decode(url) {
    this.#pictures.set(url, null);
    try {
      const picture = await decoded(await (await fetch(url)).blob());
      this.#pictures.set(url, picture);
      this.#makeRoom();
    } catch {
      return; // the one before it stays
    }
    this.#arrived();
  }

  #makeRoom() {
    for (const [url, picture] of this.#pictures) {
      if (this.#pictures.size <= Math.max(DECODED, 2 * this.lanes.length)) return;
      if (!picture || this.#moment?.previews.includes(url)) continue;
      picture.close();
      this.#pictures.delete(url);
    }
  }
}
