// Prompts to click: they go into the prompt box as if typed.

import { typeInto } from "./store.js";

export function mount({ element, props }) {
  const list = element.querySelector(".examples");
  for (const text of props.value) {
    const button = Object.assign(document.createElement("button"), { type: "button" });
    button.textContent = subject(text);
    button.title = text;
    button.addEventListener("click", () => typeInto("prompt", text));
    list.appendChild(document.createElement("li")).append(button);
  }
}

// "red sailboat" of "a red sailboat on the sea at sunset": enough to choose by.
const subject = (text) => text.replace(/^an? /, "").split(/ (?:on|in|at|by|under) /)[0];
