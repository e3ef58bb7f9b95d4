// Requests the calls of the run on screen in full size when the run has ended, and receives their files.

import { emit, on } from "../shared/signals.js";
import { state } from "../shared/store.js";
import { visitor } from "../shared/visitor.js";

let run = 0; // the number of the run on screen, to ignore late answers for earlier ones

export function mount({ element, props, trigger, watch }) {
  on("frames", ({ cursor, view }) => {
    run += 1;
    const { id, example } = state.recorded ?? {};
    if (!example) trigger("ask", { run, id, visitor: visitor(), cursor, view }); // an example has them on its sheets
  });
  on("begin", () => (run += 1));
  watch("value", () => {
    const payload = props.value;
    if (payload?.run !== run) return;
    if (payload.frames.length) emit("full", payload.frames);
    if (payload.message) emit("unwritten", payload.message);
  });
  element.toggleAttribute("data-ready", true);
}
