// The recorded examples as cards: a picture, a claim, where to look, and a button that opens the run.

import { fileUrl, make } from "../shared/dom.js";
import { follow, set, state } from "../shared/store.js";
import { openExample } from "./first_example.js";

export function mount({ element, props }) {
  const [root, list, sentence] = [".cards", "ul", ".sentence"].map((query) => element.querySelector(query));
  const { cards, problem } = props.value;
  set({ examples: cards });
  root.hidden = !cards.length && !problem;
  sentence.textContent = problem;
  list.replaceChildren(...cards.map(item));

  function item(card) {
    const picture = make("img");
    Object.assign(picture, { src: fileUrl(card.thumbnail), alt: "", loading: "lazy", draggable: false });
    picture.addEventListener("error", () => (picture.hidden = true));
    const button = make("button", "open", "Open");
    button.type = "button";
    button.dataset.id = card.id;
    button.setAttribute("aria-label", `Open: ${card.title}`);
    const text = make("div", "text", make("h3", "", card.title), make("p", "claim", card.claim));
    text.append(make("p", "look", make("b", "", "Look at "), card.look));
    const entry = make("li", "card", picture, text, button);
    entry.addEventListener("click", ({ target }) => {
      if (target === button || target === picture) show(card);
    });
    return entry;
  }

  async function show(card) {
    sentence.textContent = "";
    try {
      if (await openExample(card.id)) sentence.textContent = `Opened: ${card.title}`;
    } catch ({ message }) {
      sentence.textContent = message;
    }
  }

  follow(["recorded", "run"], () => {
    for (const button of list.querySelectorAll(".open")) {
      const isShown = state.recorded?.id === button.dataset.id;
      if (isShown) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
      button.setAttribute("aria-disabled", state.run.state === "running");
    }
  });
}
