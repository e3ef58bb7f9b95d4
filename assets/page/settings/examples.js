// Prompts to click, as the model in the menu suggests them: they go into the prompt as if typed.

import { on, typeInto } from "../shared/store.js";

export function mount({ element, props }) {
  const list = element.querySelector(".examples");

  let shown = null;

  function show(prompts) {
    if (`${shown}` === `${prompts}`) return; // the focus stays where it is
    shown = prompts;
    list.hidden = !prompts.length;
    list.replaceChildren(...prompts.map(choice));
  }

  on("model", ({ examples }) => show(examples));
  show(props.value);
}

function choice(text) {
  const button = Object.assign(document.createElement("button"), { type: "button" });
  button.textContent = subject(text);
  button.title = text;
  button.addEventListener("click", () => typeInto("prompt", text));
  const item = document.createElement("li");
  item.append(button);
  return item;
}

// "red sailboat" of "a red sailboat on the sea at sunset": enough to choose by.
const subject = (text) => text.replace(/^an? /, "").split(/ (?:on|in|at|by|under) /)[0];
