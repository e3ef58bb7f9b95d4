// The help of Gradio's controls: a tip on their labels, and their description; tips on Run and Stop.

import { tip } from "../shared/tip.js";

const LABEL = "[data-testid=block-info]";

export function tellHelp(sidebar) {
  for (const key of ["run", "stop"]) document.querySelector(`#${key}`)?.setAttribute("data-tip", key);
  sidebar.querySelector("#init_image")?.setAttribute("data-tip", "start_picture"); // it has no help
  for (const help of sidebar.querySelectorAll(".block .info-text")) {
    const block = help.closest(".block[id]:not([id=''])");
    const control = block.querySelector("input, textarea, select");
    if (!control || block.dataset.tip !== undefined) continue;
    help.id = `help_${block.id}`;
    tip(block, () => block.querySelector(".info-text")?.textContent.trim(), { handle: LABEL });
    control.dataset.hint = help.id;
    if (!control.hasAttribute("aria-invalid")) control.setAttribute("aria-describedby", help.id);
  }
}
