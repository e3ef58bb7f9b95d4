// The menus above the plot: which curve, along which axes, and whether relative to lane A.

import { on } from "../shared/signals.js";
import { follow } from "../shared/store.js";

const TIPS = { quantity: "curve", x_axis: "x", y_axis: "y" };

// `changed` is called with {quantity, x, y, relative}; returns what is chosen now.
export function makeMenus(element, { curves, axes }, changed) {
  const [quantity, x, y] = Object.keys(TIPS).map((id) => element.querySelector(`#${id}`));
  const relative = element.querySelector(".relative");
  const selects = { quantity, x, y };
  fill(quantity, curves, (label) => label);
  fill(x, axes, (label) => `by ${label}`);

  const chosen = () => ({
    quantity: quantity.value,
    x: x.value,
    y: y.value,
    relative: relative.getAttribute("aria-pressed") === "true",
  });

  function show() {
    for (const select of Object.values(selects)) select.dataset.tip = `${TIPS[select.id]}.${select.value}`;
    changed(chosen());
  }

  for (const select of Object.values(selects)) select.addEventListener("change", show);
  relative.addEventListener("click", () => {
    relative.setAttribute("aria-pressed", !chosen().relative);
    show();
  });
  on("curve", (wanted) => {
    for (const [name, select] of Object.entries(selects)) {
      if ([...select.options].some(({ value }) => value === wanted[name])) select.value = wanted[name];
    }
    if ("relative" in wanted) relative.setAttribute("aria-pressed", Boolean(wanted.relative));
    show();
  });
  follow(["curves", "plotFailed", "pins"], ({ curves, plotFailed, pins }) => {
    y.disabled = plotFailed || (curves !== null && !curves.scales);
    relative.disabled = plotFailed || (curves !== null && curves.labels.length + pins.length < 2 && !curves.relative);
    for (const control of [quantity, x]) control.disabled = plotFailed;
  });
  for (const select of Object.values(selects)) select.dataset.tip = `${TIPS[select.id]}.${select.value}`;
  return chosen;
}

function fill(select, labels, worded) {
  const options = Object.entries(labels).map(([key, label]) => {
    const option = new Option(worded(label), key);
    option.dataset.tip = `${TIPS[select.id]}.${key}`;
    return option;
  });
  select.replaceChildren(...options);
}
