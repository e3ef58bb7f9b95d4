// What became of settings from outside: what changed, what was assumed, and what has no place here. It
// stands over the page, moves nothing, and stays until it is closed.

import { make } from "../shared/dom.js";
import { on } from "../shared/signals.js";

let element = null;
let pending = null; // a report from before the component was there

// {title, problem, changes, notes, unmapped, informative, link, buttons: [{label, act}]}; all but the title
// may be missing.
export function showReport(report) {
  pending = report;
  if (element) draw(report);
}

export function closeReport() {
  pending = null;
  element?.querySelector(".report").toggleAttribute("hidden", true);
}

export function mount({ element: mine }) {
  element = mine;
  element.querySelector(".close").addEventListener("click", closeReport);
  document.addEventListener("keydown", ({ key }) => key === "Escape" && closeReport());
  on("begin", closeReport); // it is read by then
  if (pending) draw(pending);
}

function draw({ title, problem = "", changes = "", notes = [], unmapped = [], informative = [], buttons = [], link = "" }) {
  const part = (name) => element.querySelector(`.${name}`);
  part("title").textContent = title;
  part("sentence").textContent = problem;
  part("changes").textContent = changes;
  part("notes").replaceChildren(...notes.map((note) => make("li", "", note)));
  part("left").hidden = !unmapped.length;
  part("unmapped").replaceChildren(...unmapped.map(entry));
  const keys = informative.map(({ key }) => key).join(", ");
  part("informative").textContent = keys ? `No run depends on: ${keys}.` : "";
  part("buttons").replaceChildren(...buttons.map(button));
  part("report").hidden = false;
  const body = part("body");
  body.toggleAttribute("tabindex", body.scrollHeight > body.clientHeight); // a keyboard scrolls it
  if (body.hasAttribute("tabindex")) body.tabIndex = 0;
  part("spoken").textContent = [title, problem, changes].filter(Boolean).join(". ");
  const box = part("link"); // to copy by hand
  box.hidden = !link;
  box.value = link;
  if (link) box.select();
}

function entry({ key, value, reason }) {
  const text = value ? `: ${value}` : "";
  return make("li", "", make("b", "", key), `${text} (${reason})`);
}

function button({ label, act }) {
  const made = Object.assign(make("button", "quiet-button", label), { type: "button" });
  made.addEventListener("click", act);
  return made;
}
