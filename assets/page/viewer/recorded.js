// The pictures of a run that has ended: every call of every lane, in every view.

import { atSigma, atStep, longest } from "./align.js";
import { Bitmaps } from "./bitmaps.js";
import { describeLatent } from "./captions.js";
import { greys, scaleOf, shade } from "./channels.js";
import { drawNumbers } from "./decoding.js";
import { Film } from "./film.js";
import { Latents } from "./latents.js";
import { fileUrl } from "../shared/dom.js";

const AROUND = 12; // calls before and after the one on screen whose large pictures are decoded
const REST_MS = 150; // after which a cursor that has not moved rests
const LOADING = "its latents are being fetched";

export class Recorded {
  isLive = false;
  cursor; // the call on screen, by lane; -1 of one that was not reached
  view = "denoised";

  #latents;
  #drawn; // by lane: its newest latent as greys, which the next one is written over
  #large;
  #resting = 0; // the timer that will find the cursor at rest

  // `arrived()` is called when a picture on screen can be drawn better; `sideOnScreen()` is of a picture, in
  // pixels of the screen.
  constructor({ id, lanes }, plan, arrived, sideOnScreen) {
    this.lanes = lanes.map((lane, at) => {
      const { label = lane.label, steps, calls } = plan[at] ?? {};
      return new Film({ ...lane, label, steps, planned: calls?.length });
    });
    this.cursor = lanes.map(() => -1);
    this.#drawn = lanes.map(() => null);
    this.#latents = lanes.map((_, lane) => new Latents(id, lane, arrived));
    this.#large = new Bitmaps((key) => this.#isOnScreen(key) && arrived(), sideOnScreen);
  }

  get lead() {
    return longest(this.lanes);
  }

  get largeFrames() {
    return this.#large.stats;
  }

  // Resolves when every view can be drawn that can be.
  load() {
    return Promise.all(this.lanes.map((film) => film.load()));
  }

  close() {
    clearTimeout(this.#resting);
    this.lanes.forEach((film) => film.close());
    this.#latents.forEach((latents) => latents.close());
    this.#large.close();
  }

  // Move to a call of one lane; the others follow by step or by sigma.
  seek(call, lead, align) {
    const there = this.lanes[lead].calls[call];
    const follow = align === "step" ? atStep : atSigma;
    this.cursor = this.lanes.map(({ calls }, lane) => (lane === lead ? call : follow(calls, there)));
    this.#prefetch();
  }

  look(view) {
    this.view = view;
    this.#prefetch();
  }

  // A call in full size has come.
  add({ lane, call, view, file }) {
    this.#large.add(keyOf(lane, call, view), file);
  }

  // Draw what a lane shows at its cursor; what cannot be drawn leaves the canvas as it is.
  paint(canvas, lane) {
    canvas.toggleAttribute("data-pixels", this.view === "latent");
    if (this.view !== "latent") return this.lanes[lane].draw(canvas, this.view, this.cursor[lane], this.#full(lane));
    drawNumbers(canvas, this.#greys(lane), shade);
  }

  // The same as numbers that can be subtracted; null while there are none.
  signed(lane) {
    return this.view === "latent" ? this.#greys(lane) : this.lanes[lane].signed(this.view, this.cursor[lane]);
  }

  isApproximate(lane) {
    return this.view !== "latent" && this.lanes[lane].isApproximate(this.view, this.cursor[lane], this.#full(lane));
  }

  // Why a lane shows nothing of this view, a sentence, or "".
  problem(lane) {
    return this.view === "latent" ? this.#latents[lane].problemAt(this.cursor[lane]) : this.lanes[lane].problem(this.view);
  }

  // The lane's finished picture, a file of the server, where that is what it shows.
  finished(lane) {
    const film = this.lanes[lane];
    return film.isFinished(this.view, this.cursor[lane]) ? fileUrl(film.urls.image) : "";
  }

  get latentInWords() {
    const scale = this.#scale();
    return scale ? describeLatent(scale) : LOADING;
  }

  #full(lane) {
    return this.#large.get(keyOf(lane, this.cursor[lane], this.view));
  }

  #at(lane) {
    return this.cursor[lane] < 0 ? null : this.#latents[lane].get(this.cursor[lane]);
  }

  #scale() {
    return scaleOf(this.lanes.map((_, lane) => this.#at(lane)));
  }

  #greys(lane) {
    const latent = this.#at(lane);
    return latent && (this.#drawn[lane] = greys(latent, this.#scale(), this.#drawn[lane]));
  }

  #prefetch() {
    const keys = this.#around();
    this.#large.want(keys);
    clearTimeout(this.#resting);
    this.#resting = setTimeout(() => this.#large.want(keys, this.lanes.length), REST_MS);
  }

  // The large pictures of the calls on screen, then of those beside them, further and further.
  #around() {
    const { cursor, view } = this;
    const keys = cursor.map((call, lane) => keyOf(lane, call, view));
    for (let apart = 1; apart <= AROUND; apart++) {
      for (const sign of [1, -1]) {
        cursor.forEach((call, lane) => keys.push(keyOf(lane, call + sign * apart, view)));
      }
    }
    return keys;
  }

  #isOnScreen(key) {
    return this.cursor.some((call, lane) => keyOf(lane, call, this.view) === key);
  }
}

const keyOf = (lane, call, view) => `${lane} ${call} ${view}`;
