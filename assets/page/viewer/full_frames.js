// The calls of the run on screen in full size: asked for when a run has ended, and which of their
// files are there yet.

import { emit, on } from "../shared/signals.js";

let run = 0; // the number of the run on screen, so that what is late is not taken for it

export function mount({ props, trigger, watch }) {
  on("frames", ({ cursor, view }) => trigger("ask", { run: ++run, cursor, view }));
  on("begin", () => (run += 1));
  watch("value", () => {
    const payload = props.value;
    if (payload?.run !== run) return;
    if (payload.frames.length) emit("full", payload.frames);
    if (payload.message) emit("unwritten", payload.message);
  });
}
