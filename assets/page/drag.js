// Drag a number's label sideways to change it: whole numbers by steps, others by per cents.

import { typeInto } from "./store.js";

const PIXELS_A_STEP = 5;
const GROWTH_A_PIXEL = 1.01;
const LABEL = "[data-testid=block-info]";

export function dragNumbers(form) {
  form.addEventListener("pointerdown", (down) => {
    const label = down.target.closest(LABEL);
    const box = label?.parentElement.querySelector("input[type=number]");
    if (!box || box.value === "") return;
    const control = box.closest("[id]").id;
    const start = box.valueAsNumber;
    const stop = new AbortController();
    const end = () => stop.abort();
    const move = (event) => typeInto(control, dragged(start, event.clientX - down.clientX, box));
    document.addEventListener("pointermove", move, { signal: stop.signal });
    document.addEventListener("pointerup", end, { signal: stop.signal });
    document.addEventListener("pointercancel", end, { signal: stop.signal });
  });
}

function dragged(start, pixels, { step }) {
  if (step !== "any") return Math.max(0, start + Math.round(pixels / PIXELS_A_STEP));
  return Number((start * GROWTH_A_PIXEL ** pixels).toPrecision(3));
}
