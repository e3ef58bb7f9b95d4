// A folded group of settings: a title, a line on what differs from the default, and its controls.

import { makeFold } from "./folding.js";
import { follow } from "./store.js";

export function mount({ element, props }) {
  const { key, title } = props.value;
  const summary = element.querySelector(".summary");
  const { open } = makeFold(element, element.querySelector(".fold-head"));

  element.querySelector(".title").textContent = title;
  follow("answer", ({ answer: { folds, problems } }) => {
    if (folds) summary.textContent = folds[key] ?? "";
    summary.toggleAttribute("data-stale", !folds);
    // An error message beside a control must be visible.
    if (problems.some(({ control }) => control && element.querySelector(`#${control}`))) open(true);
  });
}
