// Pictures in full size, decoded around the cursor only: a bounded number of pixels at a time. While
// the cursor moves they are as large as they are on screen; where it rests, as large as their files.

import { decoded } from "./decoding.js";
import { fileUrl } from "../shared/dom.js";

const MOST_BYTES = 32e6; // decoded, of all lanes together
const MOST_UNDER_WAY = 20e6; // bytes of the pictures that are being decoded, or else one of them
const BYTES_A_PIXEL = 4;
const AT_ONCE = 4; // fetched and decoded at the same time
const AT_REST = " in its file's size"; // after a key

export class Bitmaps {
  #files = new Map(); // key to the file's name
  #decoded = new Map(); // key, or key and AT_REST, to bitmap
  #bytes = 0;
  #size = null; // of the files' pictures, which are all alike: { width, height }
  #wanted = []; // the most wanted first
  #asked = [[], 0]; // the newest arguments of `want`
  #underWay = new Set();
  #failed = new Set();
  #closed = false;
  #arrived;
  #sideOnScreen;

  // `arrived(key)` is called when a picture can be drawn; `sideOnScreen()` is how many pixels of the
  // screen a picture's longer side gets.
  constructor(arrived, sideOnScreen) {
    this.#arrived = arrived;
    this.#sideOnScreen = sideOnScreen;
  }

  get stats() {
    return { files: this.#files.size, decoded: this.#decoded.size, bytes: this.#bytes };
  }

  add(key, file) {
    this.#files.set(key, file);
    this.#work();
  }

  // The picture, if it is decoded.
  get(key) {
    return this.#decoded.get(key + AT_REST) ?? this.#decoded.get(key) ?? null;
  }

  // What is on screen or soon will be, the most wanted first; nothing else is decoded. The cursor
  // rests at the first `resting` of them.
  want(keys, resting = 0) {
    this.#asked = [keys, resting];
    const shown = keys.slice(0, resting);
    const rest = this.#scale() < 1 ? shown.map((key) => key + AT_REST) : [];
    this.#wanted = [...shown, ...rest, ...keys.slice(resting)];
    for (const id of this.#decoded.keys()) {
      if (id.endsWith(AT_REST) && !rest.includes(id)) this.#drop(id);
    }
    this.#work();
  }

  close() {
    this.#closed = true;
    [...this.#decoded.keys()].forEach((id) => this.#drop(id));
    this.#files.clear();
  }

  // What is wanted, as far as it fits together.
  #work() {
    let bytes = 0;
    for (const id of this.#wanted) {
      bytes += this.#bytesOf(id);
      if (!this.#mayBegin() || (bytes > MOST_BYTES && id !== this.#wanted[0])) return;
      const known = this.#decoded.has(id) || this.#underWay.has(id) || this.#failed.has(id);
      if (!known && this.#files.has(keyOf(id))) this.#fetch(id);
    }
  }

  // The first picture says how large all of them are.
  #mayBegin() {
    const count = this.#underWay.size;
    if (!count) return true;
    return this.#size && count < AT_ONCE && (count + 1) * area(this.#size) * BYTES_A_PIXEL <= MOST_UNDER_WAY;
  }

  #scale() {
    return this.#size ? Math.min(1, this.#sideOnScreen() / Math.max(this.#size.width, this.#size.height)) : 1;
  }

  #bytesOf(id) {
    if (!this.#size) return 0;
    return area(this.#size) * BYTES_A_PIXEL * (id.endsWith(AT_REST) ? 1 : this.#scale() ** 2);
  }

  async #fetch(id) {
    this.#underWay.add(id);
    try {
      const response = await fetch(fileUrl(this.#files.get(keyOf(id))), { cache: "force-cache" });
      if (!response.ok) throw new Error(`${response.status}`);
      const scale = id.endsWith(AT_REST) ? 1 : this.#scale();
      this.#keep(id, await decoded(await response.blob(), this.#smaller(scale)));
    } catch {
      this.#failed.add(id); // the small frame is shown
    }
    this.#underWay.delete(id);
    if (!this.#closed) this.#work();
  }

  #smaller(scale) {
    if (scale === 1) return null;
    const [width, height] = [this.#size.width, this.#size.height].map((side) => Math.max(1, Math.round(side * scale)));
    return { resizeWidth: width, resizeHeight: height, resizeQuality: "medium" };
  }

  #keep(id, bitmap) {
    if (this.#closed || (id.endsWith(AT_REST) && !this.#wanted.includes(id))) return bitmap.close();
    const first = !this.#size;
    this.#size ??= { width: bitmap.width, height: bitmap.height };
    this.#decoded.set(id, bitmap);
    this.#bytes += area(bitmap) * BYTES_A_PIXEL;
    this.#makeRoom(id);
    this.#arrived(keyOf(id));
    if (first) this.want(...this.#asked); // only now is it known what is smaller than its file
  }

  // What is wanted least goes first.
  #makeRoom(newest) {
    if (this.#bytes <= MOST_BYTES) return;
    const rank = new Map(this.#wanted.map((id, at) => [id, at]));
    const last = (id) => rank.get(id) ?? Infinity;
    const ids = [...this.#decoded.keys()].sort((a, b) => (last(a) === last(b) ? 0 : last(b) - last(a)));
    for (const id of ids) {
      if (this.#bytes <= MOST_BYTES) return;
      if (id !== newest && id !== this.#wanted[0]) this.#drop(id);
    }
  }

  #drop(id) {
    const bitmap = this.#decoded.get(id);
    this.#decoded.delete(id);
    this.#bytes -= area(bitmap) * BYTES_A_PIXEL;
    bitmap.close();
  }
}

const area = ({ width, height }) => width * height;
const keyOf = (id) => id.replace(AT_REST, "");
