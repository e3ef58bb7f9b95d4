// Pictures in full size, decoded around the cursor only: a bounded number of pixels at a time.

import { fileUrl } from "./store.js";

const MOST_BYTES = 80e6; // decoded, of all lanes together: 20 pictures of 1024 x 1024
const BYTES_A_PIXEL = 4;
const AT_ONCE = 4; // fetched and decoded side by side

export class Bitmaps {
  #files = new Map(); // key to the file's name
  #decoded = new Map(); // key to bitmap, the longest unused first
  #bytes = 0;
  #wanted = []; // keys, the most wanted first
  #underWay = new Set();
  #failed = new Set();
  #closed = false;
  #arrived;

  // `arrived(key)` is called when a picture can be drawn.
  constructor(arrived) {
    this.#arrived = arrived;
  }

  get stats() {
    return { files: this.#files.size, decoded: this.#decoded.size, bytes: this.#bytes };
  }

  add(key, file) {
    this.#files.set(key, file);
    this.#work();
  }

  // The picture, where it is decoded.
  get(key) {
    const bitmap = this.#decoded.get(key);
    if (!bitmap) return null;
    this.#decoded.delete(key);
    this.#decoded.set(key, bitmap);
    return bitmap;
  }

  // What is on screen or soon will be, the most wanted first; nothing else is decoded.
  want(keys) {
    this.#wanted = keys;
    this.#work();
  }

  close() {
    this.#closed = true;
    this.#decoded.forEach((bitmap) => bitmap.close());
    this.#decoded.clear();
    this.#files.clear();
    this.#bytes = 0;
  }

  #work() {
    for (const key of this.#wanted) {
      if (this.#underWay.size >= AT_ONCE) return;
      const known = this.#decoded.has(key) || this.#underWay.has(key) || this.#failed.has(key);
      if (!known && this.#files.has(key) && this.#hasRoom(key)) this.#fetch(key);
    }
  }

  // Whether the picture, and those that are wanted more, fit together.
  #hasRoom(key) {
    if (!this.#decoded.size) return true;
    const each = this.#bytes / this.#decoded.size;
    return (this.#wanted.indexOf(key) + 1 + AT_ONCE) * each <= MOST_BYTES || key === this.#wanted[0];
  }

  async #fetch(key) {
    this.#underWay.add(key);
    try {
      const response = await fetch(fileUrl(this.#files.get(key)), { cache: "force-cache" });
      if (!response.ok) throw new Error(`${response.status}`);
      this.#keep(key, await createImageBitmap(await response.blob()));
    } catch {
      this.#failed.add(key); // its small frame stays
    }
    this.#underWay.delete(key);
    if (!this.#closed) this.#work();
  }

  #keep(key, bitmap) {
    if (this.#closed) return bitmap.close();
    this.#decoded.set(key, bitmap);
    this.#bytes += bytes(bitmap);
    const [nearest] = this.#wanted;
    for (const [old, picture] of this.#decoded) {
      if (this.#bytes <= MOST_BYTES) break;
      if (old === key || old === nearest) continue;
      this.#decoded.delete(old);
      this.#bytes -= bytes(picture);
      picture.close();
    }
    this.#arrived(key);
  }
}

const bytes = ({ width, height }) => width * height * BYTES_A_PIXEL;
