// Drag a number's label sideways to change it: whole numbers by steps, others by per cents.

const PIXELS_A_STEP = 5;
const GROWTH_A_PIXEL = 1.01;
const LABEL = "[data-testid=block-info], .field .label"; // Gradio's, and that of a row of the lanes
const NUMBER = "input[type=number], input[data-number]";

export function dragNumbers(form) {
  form.addEventListener("pointerdown", (down) => {
    const label = down.target.closest(LABEL);
    const box = label?.parentElement.querySelector(NUMBER);
    const text = box?.value.trim() || box?.placeholder; // an empty box stands for a number
    if (!text || box.readOnly || Number.isNaN(Number(text))) return;
    const start = Number(text);
    const stop = new AbortController();
    const end = () => stop.abort();
    const move = (event) => {
      box.value = dragged(start, event.clientX - down.clientX, box);
      box.dispatchEvent(new Event("input", { bubbles: true }));
    };
    document.addEventListener("pointermove", move, { signal: stop.signal });
    document.addEventListener("pointerup", end, { signal: stop.signal });
    document.addEventListener("pointercancel", end, { signal: stop.signal });
  });
}

function dragged(start, pixels, { step, dataset }) {
  const whole = dataset.number ? dataset.number === "whole" : step !== "any";
  if (whole) return Math.max(0, start + Math.round(pixels / PIXELS_A_STEP));
  return Number((start * GROWTH_A_PIXEL ** pixels).toPrecision(3));
}
