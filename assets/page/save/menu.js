// A menu under a button, as the ARIA patterns have it: arrows, Home, End and letters move, Escape and
// Tab close, and a click outside does too.

import { make } from "../shared/dom.js";

const GAP = 6; // pixels between button and menu

export function makeMenu({ button, popup, list }) {
  let opened = () => {};

  const isOpen = () => popup.matches(":popover-open");
  const items = () => [...list.querySelectorAll('[role^="menuitem"]')];
  const focus = (item) => item?.focus({ preventScroll: false });

  function open(last = false) {
    if (isOpen()) return;
    popup.showPopover();
    opened();
    place();
    focus(items().at(last ? -1 : 0) ?? popup);
  }

  function close() {
    if (!isOpen()) return;
    popup.hidePopover();
    button.focus();
  }

  // Below the button, or above it where that has more room, as at the foot of a phone.
  function place() {
    const { left, right, top, bottom } = button.getBoundingClientRect();
    const width = popup.offsetWidth;
    const isBelow = innerHeight - bottom >= top;
    const across = Math.max(8, Math.min(right - width, innerWidth - width - 8));
    popup.style.left = `${left + width < innerWidth - 8 ? left : across}px`;
    popup.style.top = isBelow ? `${bottom + GAP}px` : "auto";
    popup.style.bottom = isBelow ? "auto" : `${innerHeight - top + GAP}px`;
    popup.style.maxHeight = `${(isBelow ? innerHeight - bottom : top) - GAP - 8}px`;
  }

  // What is focused stays so where the entries are made anew.
  function show(groups) {
    const at = items().indexOf(document.activeElement);
    list.hidden = !groups.length;
    list.replaceChildren(...groups.map(groupOf));
    if (at >= 0) focus(items()[Math.min(at, items().length - 1)]);
  }

  button.addEventListener("click", () => (isOpen() ? close() : open()));
  button.addEventListener("keydown", (key) => {
    if (key.key !== "ArrowDown" && key.key !== "ArrowUp") return;
    key.preventDefault();
    open(key.key === "ArrowUp");
  });
  popup.addEventListener("toggle", () => button.setAttribute("aria-expanded", isOpen()));
  popup.addEventListener("keydown", (key) => {
    if (key.key === "Escape" || key.key === "Tab") {
      if (key.key === "Escape") key.preventDefault();
      return close();
    }
    const all = items();
    const at = all.indexOf(document.activeElement);
    if (at < 0 || key.ctrlKey || key.metaKey || key.altKey) return;
    const next = {
      ArrowDown: all[(at + 1) % all.length],
      ArrowUp: all.at(at - 1),
      Home: all[0],
      End: all.at(-1),
    }[key.key];
    const begins = (item) => item.textContent.trim().toLowerCase().startsWith(key.key.toLowerCase());
    const named = key.key.length === 1 && key.key !== " " && [...all.slice(at + 1), ...all.slice(0, at)].find(begins);
    if (!next && !named) return;
    key.preventDefault();
    focus(next ?? named);
  });
  // The browser does so too, but not where a press begins a drag, as on the plot.
  document.addEventListener("pointerdown", ({ target }) => {
    if (isOpen() && !popup.contains(target) && !button.contains(target)) popup.hidePopover();
  }, true);
  addEventListener("resize", () => isOpen() && place());

  return { show, isOpen, close, onOpen: (listener) => (opened = listener) };
}

function groupOf({ label, choice, entries }) {
  const group = make("div", "group");
  group.setAttribute("role", "group");
  if (label) group.setAttribute("aria-label", label);
  if (label) {
    const head = make("p", "head", label);
    head.setAttribute("aria-hidden", "true");
    group.append(head);
  }
  if (choice) group.append(choiceOf(choice));
  group.append(...entries.map(entryOf));
  return group;
}

// One of a few, side by side: [text, title, class] each.
function choiceOf({ label, names, chosen, choose }) {
  const row = make("div", "choice");
  row.setAttribute("role", "group");
  row.setAttribute("aria-label", label);
  names.forEach(([text, title, className], at) => {
    const item = itemOf("menuitemradio", className, text);
    item.setAttribute("aria-checked", at === chosen);
    item.setAttribute("aria-label", `${label} ${text}, ${title}`);
    item.title = title;
    item.addEventListener("click", () => choose(at));
    row.append(item);
  });
  return row;
}

function entryOf({ label, hint = "", refusal = "", checked, share, act }) {
  const item = itemOf(checked === undefined ? "menuitem" : "menuitemcheckbox", "entry", make("span", "", label));
  if (hint) item.append(make("span", "hint", hint));
  if (checked !== undefined) item.setAttribute("aria-checked", checked);
  if (share !== undefined) {
    item.classList.add("making");
    item.style.setProperty("--made", share);
  }
  if (refusal) {
    item.setAttribute("aria-disabled", "true");
    item.title = refusal;
    item.setAttribute("aria-description", refusal);
  } else item.addEventListener("click", act);
  return item;
}

function itemOf(role, className, ...children) {
  const item = make("button", className, ...children);
  item.type = "button";
  item.setAttribute("role", role);
  item.tabIndex = -1;
  return item;
}
