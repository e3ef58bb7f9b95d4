// Prompts to click, as the model in the menu suggests them: a click puts one into the form.

import { make } from "../shared/dom.js";
import { follow } from "../shared/store.js";
import { fillForm } from "./form.js";

export function mount({ element, props }) {
  const list = element.querySelector(".examples");

  let shown = null;

  function show(prompts) {
    if (`${shown}` === `${prompts}`) return; // the focus stays where it is
    shown = prompts;
    list.hidden = !prompts.length;
    list.replaceChildren(...prompts.map(choice));
  }

  show(props.value);
  follow("model", ({ model }) => show(model.examples));
}

function choice(text) {
  const button = Object.assign(make("button", "quiet-button", subject(text)), { type: "button", title: text });
  button.addEventListener("click", () => fillForm({ prompt: text }));
  return make("li", "", button);
}

// "red sailboat" of "a red sailboat on the sea at sunset": enough to choose by.
const subject = (text) => text.replace(/^an? /, "").split(/ (?:on|in|at|by|under) /)[0];
