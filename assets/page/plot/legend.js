// The row above the plot: pin the schedules, edit their points, and what the lines and marks mean.

import { pin, pinned, dashesOf, toggle, unpin, unpinAll } from "./pins.js";
import { groupRadios } from "../shared/radios.js";
import { emit, on } from "../shared/store.js";

const MARKS = { midpoint: "◇", "second call": "◇", "sigma down": "▽", "sigma up": "△", "sigma hat": "+", "new since the start": "┈" };

export function mount({ element, props }) {
  const list = element.querySelector(".pins");
  const edit = element.querySelector(".edit");
  const clear = document.createElement("button");
  Object.assign(clear, { type: "button", className: "clear", textContent: "Remove all" });
  let shown = null; // the plot's newest payload that has a figure

  element.querySelector(".pin").addEventListener("click", () => shown && pin(JSON.parse(shown.pin)));
  clear.addEventListener("click", unpinAll);
  edit.addEventListener("click", () => emit("edit", edit.getAttribute("aria-pressed") === "false"));

  function item(one) {
    const { id, label, hidden, lane } = one;
    const copy = element.querySelector("template").content.cloneNode(true);
    const [toggler, remove] = copy.querySelectorAll("button");
    copy.querySelector("path").style.strokeDasharray = dashesOf(one);
    copy.querySelector("span").textContent = label;
    copy.querySelector(".sentence").textContent = shown?.pins[id] ?? "";
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
    if (pinned().length > 1) {
      const last = document.createElement("li");
      last.append(clear);
      list.append(last);
    }
    if (focused >= 0) list.querySelectorAll("button")[focused]?.focus();
  }

  on("pins", (pins) => {
    props.value = pins; // asks the server for their curves
    renew();
  });
  on("settings", (payload) => {
    if (!payload.figure) return;
    const told = JSON.stringify(payload.pins) !== JSON.stringify(shown?.pins);
    shown = payload;
    edit.disabled = payload.quantity !== "sigma";
    edit.title = edit.disabled ? "Points are edited on the sigma curve" : "";
    if (edit.disabled) emit("edit", false);
    if (told) renew();
  });
  on("edit", (is) => edit.setAttribute("aria-pressed", is));
  on("kinds", (kinds) => {
    const words = kinds.map((kind) => `${MARKS[kind] ?? "●"} ${kind}`);
    const [keys, now] = [element.querySelector(".keys"), words.join()];
    if (keys.dataset.now === now) return;
    keys.dataset.now = now;
    keys.replaceChildren(
      ...words.map((textContent) => Object.assign(document.createElement("li"), { textContent })),
    );
  });
  ["quantity", "x_axis", "y_axis"].forEach(groupRadios);
  renew();
  if (pinned().length) props.value = pinned();
}
