// A folded group of settings: a title, a line on what differs from the default, and its controls.

import { on } from "./store.js";

export function mount({ element, props }) {
  const { key, title } = props.value;
  const head = element.querySelector(".fold-head");
  const summary = element.querySelector(".summary");

  function open(is) {
    element.toggleAttribute("data-open", is);
    head.setAttribute("aria-expanded", is);
  }

  element.querySelector(".title").textContent = title;
  head.addEventListener("click", () => open(!element.hasAttribute("data-open")));
  on("settings", ({ folds, problems }) => {
    if (folds) summary.textContent = folds[key] ?? "";
    summary.toggleAttribute("data-stale", !folds);
    // A sentence beside a control must be seen.
    if (problems.some(({ control }) => control && element.querySelector(`#${control}`))) open(true);
  });
}
