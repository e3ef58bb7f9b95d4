// Copy link: the address at which somebody else finds these settings.

import { copyText } from "../shared/copy_text.js";
import { QUERY } from "./beginning.js";
import { formShown } from "./form.js";
import { keptBy } from "./kept_form.js";
import { makeLink } from "./opening.js";
import { showReport } from "./report.js";

const LABEL = "Copy link";
const CONFIRMED_MS = 2000;
const PRIVATE = ["__sign"]; // what a Space's frame is called with

export function mount({ element }) {
  const button = element.querySelector("button");
  const text = button.querySelector(".text");
  const spoken = element.querySelector("[role=status]");
  let timer = 0;

  button.addEventListener("click", async () => {
    const form = formShown();
    if (!form) return;
    try {
      const { link, address, notes } = await makeLink(form);
      const url = address || addressHere(link);
      if (!address) {
        history.replaceState(history.state, "", url);
        keptBy().noteLink(link);
      }
      const copied = await copyText(url);
      if (copied) confirm();
      if (!copied || notes.length) showReport({ title: copied ? "Link copied" : "The link", notes, link: copied ? "" : url });
    } catch ({ message }) {
      showReport({ title: "No link", problem: message });
    }
  });

  function confirm() {
    clearTimeout(timer);
    button.setAttribute("data-done", "");
    text.textContent = "Copied";
    spoken.textContent = "Link copied.";
    timer = setTimeout(() => {
      button.removeAttribute("data-done");
      text.textContent = LABEL;
      spoken.textContent = "";
    }, CONFIRMED_MS);
  }
}

// This page's own address, behind whatever proxy it stands; other parts of its query stay.
function addressHere(link) {
  const url = new URL(location.href);
  for (const name of [QUERY, ...PRIVATE]) url.searchParams.delete(name);
  url.searchParams.set(QUERY, link);
  url.hash = "";
  return url.href;
}
