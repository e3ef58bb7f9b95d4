// Gradio gives every radio button a name of its own: ten groups of one. Make each set one group, that
// is, one stop of the Tab key whose arrows choose, and give it the name that stands beside it.

import { waitForElement } from "./dom.js";

export async function groupRadios(id) {
  await waitForElement(`#${id} input[type=radio]`);
  const group = document.getElementById(id);
  const label = group.querySelector("[data-testid=block-info]");
  group.setAttribute("role", "radiogroup");
  group.setAttribute("aria-label", label.textContent.trim());
  const join = () => {
    for (const radio of group.querySelectorAll("input[type=radio]")) if (radio.name !== id) radio.name = id;
  };
  join();
  // With every choice Gradio names those that change anew.
  new MutationObserver(join).observe(group, { attributeFilter: ["name"], childList: true, subtree: true });
}
