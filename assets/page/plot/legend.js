// The row above the plot: what is drawn, pin the schedules, edit their points, and what the lines and
// marks mean. Its value is what the server needs to know of it: the menus' choices and the pins.

import { makeKeys } from "./keys.js";
import { makeMenus } from "./menus.js";
import { pin, pinned, dashesOf, toggle, unpin, unpinAll } from "./pins.js";
import { make } from "../shared/dom.js";
import { follow, set, state, subscribe } from "../shared/store.js";

const UNLOADED = "The plot could not be loaded";
const ELSEWHERE = "Points are edited on the sigma curve, not relative to A";

export function mount({ element, props }) {
  const list = element.querySelector(".pins");
  const edit = element.querySelector(".edit");
  const clear = Object.assign(make("button", "clear", "Remove all"), { type: "button" });
  let problems = ""; // of the pins, as they are shown

  const ask = () => (props.value = { ...chosen(), pins: pinned() });
  const chosen = makeMenus(element, props, ask);
  makeKeys(element);

  element.querySelector(".pin").addEventListener("click", () => state.curves && pin(JSON.parse(state.curves.pin)));
  clear.addEventListener("click", unpinAll);
  edit.addEventListener("click", () => set({ editing: !state.editing }));

  function item(one) {
    const { id, label, hidden, lane } = one;
    const copy = element.querySelector("template").content.cloneNode(true);
    const [toggler, remove] = copy.querySelectorAll("button");
    copy.querySelector("path").style.strokeDasharray = dashesOf(one);
    copy.querySelector("span").textContent = label;
    copy.querySelector(".sentence").textContent = state.curves?.pins[id] ?? "";
    toggler.setAttribute("aria-pressed", !hidden);
    toggler.title = Object.entries(lane ?? {}).map(([key, value]) => `${key}: ${value}`).join("\n").slice(0, 600);
    toggler.addEventListener("click", () => toggle(id));
    remove.setAttribute("aria-label", `Remove ${label}`);
    remove.addEventListener("click", () => unpin(id));
    return copy;
  }

  function renew() {
    const focused = [...list.querySelectorAll("button")].indexOf(document.activeElement);
    list.replaceChildren(...pinned().map(item));
    if (pinned().length > 1) list.append(make("li", "", clear));
    if (focused >= 0) list.querySelectorAll("button")[focused]?.focus();
  }

  subscribe("pins", () => {
    ask();
    renew();
  });
  follow("curves", ({ curves }) => {
    const before = problems;
    problems = JSON.stringify(curves.pins);
    if (problems !== before) renew();
  });
  follow(["curves", "plotFailed"], ({ curves, plotFailed }) => {
    edit.disabled = plotFailed || (curves !== null && (curves.quantity !== "sigma" || curves.relative));
    edit.title = plotFailed ? UNLOADED : edit.disabled ? ELSEWHERE : "";
    if (edit.disabled) set({ editing: false });
  });
  subscribe("editing", ({ editing }) => {
    edit.setAttribute("aria-pressed", editing);
    element.toggleAttribute("data-editing", editing);
  });
  renew();
  if (pinned().length) ask();
}
