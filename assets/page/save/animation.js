// The animation that the server makes for this page: one at a time, in the background.

import { ask, ofLane, saveFile } from "./kinds.js";

const POLL_MS = 400;
const SPOKEN = { cancelled: "The animation was stopped.", error: "The animation could not be made." };

export class Animation {
  #job = ""; // its id on the server, once that is known
  #of = null; // {id, kind, lane}
  #made = { done: 0, count: 0 };
  #changed;

  // `changed(sentence)` is called with "" as it goes on, and with a sentence at its end.
  constructor(changed) {
    this.#changed = changed;
  }

  get isBusy() {
    return this.#of !== null;
  }

  is(kind, lane) {
    return this.isBusy && this.#of.kind === kind && this.#of.lane === lane;
  }

  get share() {
    return this.#made.count ? this.#made.done / this.#made.count : 0;
  }

  get position() {
    const { done, count } = this.#made;
    return count ? `${done} of ${count}` : "waiting";
  }

  async start(id, { kind, lane, hasCursor }) {
    if (this.isBusy) return this.#changed("Another animation is being made: stop it, or wait for its end.");
    const of = { id, kind, lane };
    this.#of = of;
    this.#made = { done: 0, count: 0 };
    this.#changed("");
    try {
      const begun = await ask(id, `${kind}?${ofLane(lane)}&cursor=${Number(hasCursor)}`, { method: "POST" });
      let { job, ...made } = await begun.json();
      this.#job = job;
      while (this.#of === of && ["waiting", "working"].includes(made.state)) {
        this.#made = made;
        this.#changed("");
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
        if (this.#of === of) made = await (await ask(id, `jobs/${job}`)).json();
      }
      if (this.#of !== of) return this.#forget(id, job);
      if (made.state !== "done") throw new Error(made.message || SPOKEN[made.state]);
      await saveFile(await ask(id, `jobs/${job}/file`));
      this.#forget(id, job);
      this.#end("Saved.");
    } catch (error) {
      if (this.#of === of) this.#end(error.message);
    }
  }

  stop() {
    this.#end(SPOKEN.cancelled);
  }

  // The server need not keep it.
  #forget(id, job) {
    ask(id, `jobs/${job}`, { method: "DELETE" }).catch(() => {});
  }

  #end(sentence) {
    this.#of = null;
    this.#made = { done: 0, count: 0 };
    this.#changed(sentence);
  }
}
