// The recorded latents of one lane, fetched in blocks of calls where they are looked at.

import { fromHalf } from "./half_precision.js";
import { runsFetch, sentenceOf } from "../shared/runs_api.js";

const MOST_NUMBERS = 4e6; // that are kept of a lane's latents: 16 MB
const NO_RUN = "The server has not kept this run, so its latents cannot be shown.";
const NO_ANSWER = "The latents could not be fetched: the server did not answer.";
const AGAIN_MS = 3000; // after which a server that was busy or away is asked again, if one still looks
const PASSES = (status) => status === 429 || status >= 500;

export class Latents {
  #id;
  #lane;
  #arrived;
  #calls = new Map(); // index to Latent, the ones asked for last at the end
  #numbers = 0;
  #underWay = false;
  #wanted = null; // the newest call that was asked for meanwhile
  #closed = new AbortController();
  #rest = 0; // the timer after which the server is asked again, 0 while it may be
  #isFinal = false; // will none ever come?

  problem = ""; // why there are none, a sentence

  // `id` is the run's, undefined where the server keeps none; `arrived()` is called when one can be drawn,
  // and when it is known that none will come.
  constructor(id, lane, arrived) {
    [this.#id, this.#lane, this.#arrived] = [id, lane, arrived];
    if (!id) [this.problem, this.#isFinal] = [NO_RUN, true];
  }

  // A call's latent, { shape, values, low, high, finite }, or null: then it is fetched.
  get(call) {
    const latent = this.#calls.get(call) ?? null;
    if (latent) {
      this.#calls.delete(call);
      this.#calls.set(call, latent);
    } else {
      this.#want(call);
    }
    return latent;
  }

  // Why there is nothing to show of a call, a sentence, or "".
  problemAt(call) {
    return this.#calls.has(call) ? "" : this.problem;
  }

  close() {
    this.#closed.abort();
    clearTimeout(this.#rest);
    this.#calls.clear();
  }

  async #want(call) {
    this.#wanted = call;
    if (this.#underWay) return;
    this.#underWay = true;
    while (this.#wanted !== null && !this.#isFinal && !this.#rest && !this.#closed.signal.aborted) {
      const next = this.#wanted;
      this.#wanted = null;
      if (!this.#calls.has(next)) await this.#fetch(next);
    }
    this.#underWay = false;
  }

  async #fetch(call) {
    let passes = false; // a problem that another attempt may not have
    try {
      const path = `runs/${this.#id}/latents/${this.#lane}?call=${call}`;
      const response = await runsFetch(path, { signal: this.#closed.signal });
      if (response.ok) this.#keep(response.headers.get("x-latents"), await response.arrayBuffer());
      this.problem = response.ok ? "" : await sentenceOf(response);
      passes = PASSES(response.status);
    } catch {
      this.problem = NO_ANSWER;
      passes = true;
    }
    if (this.#closed.signal.aborted) return;
    this.#isFinal = Boolean(this.problem) && !passes;
    if (passes) this.#rest = setTimeout(() => this.#askAgain(), AGAIN_MS);
    this.#arrived();
  }

  // What is on screen is drawn once more, and asks for what it still needs.
  #askAgain() {
    this.#rest = 0;
    this.#arrived();
  }

  // The answer: a scale for each call, then their numbers in half precision.
  #keep(header, buffer) {
    const { first, count, shape } = JSON.parse(header);
    const size = shape.reduce((product, length) => product * length, 1);
    const scales = new DataView(buffer);
    for (let at = 0; at < count; at++) {
      const bits = new Uint16Array(buffer, 4 * count + 2 * size * at, size);
      const latent = { shape, ...withEnds(fromHalf(bits, scales.getFloat32(4 * at, true))) };
      if (!this.#calls.has(first + at)) this.#numbers += size;
      this.#calls.set(first + at, latent);
    }
    for (const [oldest, { values }] of this.#calls) {
      if (this.#numbers <= MOST_NUMBERS || (oldest >= first && oldest < first + count)) break;
      this.#calls.delete(oldest);
      this.#numbers -= values.length;
    }
  }
}

function withEnds(values) {
  let [low, high, finite] = [Infinity, -Infinity, true];
  for (const value of values) {
    if (!Number.isFinite(value)) finite = false;
    else if (value < low) [low, high] = [value, Math.max(high, value)];
    else if (value > high) high = value;
  }
  return { values, low: low === Infinity ? 0 : low, high: high === -Infinity ? 0 : high, finite };
}
