// Tips: what a mark, a number, a switch or a setting means, while the pointer rests on it, when the
// keyboard comes to it, or by a finger: a tap on what does nothing else, a long press on a button. Esc, a
// tap elsewhere and scrolling close it.
//
// An element has a tip by its attribute `data-tip`, a key of learn/tips.js, or by `tip()`. There is one
// tip on screen, in the top layer, where nothing clips it. Marks that could not take the focus get it: one
// stop of the Tab key for all of a group, in which the arrows move.

import { TIPS } from "../learn/tips.js";
import { make } from "./dom.js";

const REST_MS = 350; // before a tip opens
const AGAIN_MS = 300; // after one has closed, the next one opens at once
const PRESS_MS = 500; // of a finger on a button
const LEAVE_MS = 120; // for the pointer's way from a mark to its tip
const SETTLE_MS = 300; // after the last change of the page, before new marks are looked for
const AWAY = 4; // pixels between a mark and its tip
const EDGE = 8; // pixels between a tip and the edge of the window
const ACTS = "a, button, input, select, textarea, summary, label, [role=tab], [role=slider], [contenteditable]";
const TAKES_FOCUS = "a[href], button, input, select, textarea, [tabindex], [role=tab]";
const GROUP = "ul, ol, dl, tr, [role=group], fieldset";
const MOVES = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

const given = new WeakMap(); // by element, what `tip` was given
const listeners = []; // that give tips to elements which others have made

// Give an element a tip: a text, or a function that returns it ("" for none). `code` is its name in code;
// hover and taps act on the part that the selector `handle` finds in the element, the focus on all of it.
export function tip(element, text, { code = "", handle = "" } = {}) {
  given.set(element, { text, code, handle });
  element.dataset.tip = "";
}

// {text, code} of an element's tip, or null.
export function tipOf(element) {
  const { text, code = "" } = given.get(element) ?? TIPS[element.dataset.tip] ?? {};
  const said = typeof text === "function" ? text() : text;
  return said ? { text: said, code } : null;
}

// Call a listener whenever the page may have new elements to give tips to.
export const onNewElements = (listener) => listeners.push(listener);

export function startTips() {
  const box = make("div", "tip");
  box.id = "tip";
  box.setAttribute("role", "tooltip");
  box.popover = "manual";
  const texts = make("div"); // of the tips by key, for aria-describedby
  texts.hidden = true;
  document.querySelector(".gradio-container main").append(box, texts);

  let shown = null; // the element whose tip is open
  let closedAt = -Infinity;
  let byKeyboard = false;
  let touched = ""; // the pointer's kind, from its going down on
  let held = false; // has a long press opened the tip? its end is no tap
  let [opening, closing, pressing, settling] = [0, 0, 0, 0];

  // --- one tip -------------------------------------------------------------------------------------

  function open(element) {
    const said = element.isConnected && tipOf(element);
    if (!said) return;
    box.replaceChildren(make("span", "", said.text));
    if (said.code) box.append(" ", make("code", "", said.code));
    if (!box.matches(":popover-open")) box.showPopover();
    shown = element;
    place(handleOf(element));
  }

  function place(mark) {
    const { left, top, bottom } = mark.getBoundingClientRect();
    const { clientWidth: width, clientHeight: height } = document.documentElement;
    const most = Math.max(EDGE, width - box.offsetWidth - EDGE);
    const below = bottom + AWAY;
    const fits = below + box.offsetHeight <= height - EDGE;
    const above = Math.max(EDGE, top - AWAY - box.offsetHeight);
    box.style.left = `${Math.min(Math.max(left, EDGE), most)}px`;
    box.style.top = `${fits ? below : above}px`;
  }

  function close() {
    for (const timer of [opening, closing, pressing]) clearTimeout(timer);
    if (shown) closedAt = performance.now();
    shown = null;
    if (box.matches(":popover-open")) box.hidePopover();
  }

  function offer(element) {
    if (element === shown) return clearTimeout(closing);
    const wait = shown || performance.now() - closedAt < AGAIN_MS ? 0 : REST_MS;
    close();
    opening = setTimeout(open, wait, element);
  }

  // --- whose tip -----------------------------------------------------------------------------------

  // The element with a tip that the pointer is on, or null.
  function under(target) {
    for (let at = target.closest?.("[data-tip]"); at; at = at.parentElement.closest("[data-tip]")) {
      const { handle = "" } = given.get(at) ?? {};
      if (!handle || target.closest(handle)) return at;
    }
    return null;
  }

  function handleOf(element) {
    const { handle = "" } = given.get(element) ?? {};
    return (handle && element.querySelector(handle)) || element;
  }

  document.addEventListener("pointerover", ({ target, pointerType }) => {
    if (pointerType === "touch") return;
    if (box.contains(target)) return clearTimeout(closing);
    const element = under(target);
    if (element) offer(element);
  });
  document.addEventListener("pointerout", ({ pointerType }) => {
    if (pointerType === "touch") return;
    clearTimeout(opening);
    clearTimeout(closing);
    if (shown) closing = setTimeout(close, LEAVE_MS);
  });

  // --- fingers -------------------------------------------------------------------------------------

  document.addEventListener(
    "pointerdown",
    ({ target, pointerType }) => {
      byKeyboard = false;
      touched = pointerType;
      held = false;
      if (box.contains(target)) return;
      const before = shown;
      close();
      const element = pointerType === "touch" && under(target);
      if (!element) return;
      if (acts(element, target)) pressing = setTimeout(hold, PRESS_MS, element);
      else if (element === before) touched = "closed"; // the same mark again
    },
    true,
  );
  for (const ends of ["pointerup", "pointercancel", "pointermove"]) {
    document.addEventListener(ends, ({ movementX, movementY }) => {
      if (ends !== "pointermove" || Math.hypot(movementX, movementY) > 3) clearTimeout(pressing);
    });
  }
  document.addEventListener(
    "click",
    (click) => {
      if (held) {
        held = false;
        click.preventDefault();
        click.stopPropagation();
        return;
      }
      const element = touched === "touch" && under(click.target);
      if (!element || acts(element, click.target)) return;
      click.preventDefault(); // a label would open the keyboard
      open(element);
    },
    true,
  );

  function hold(element) {
    open(element);
    held = shown === element;
  }

  // Does a tap here do something? The words of a setting only name it.
  function acts(element, target) {
    if (given.get(element)?.handle) return Boolean(target.closest("button, a, select, input, textarea"));
    return Boolean(target.closest(ACTS));
  }

  // --- the keyboard --------------------------------------------------------------------------------

  document.addEventListener("keydown", (pressed) => {
    const { key, target } = pressed;
    byKeyboard = key === "Tab" || key in MOVES || key === "Home" || key === "End";
    if (key === "Escape") close();
    else if (key in MOVES && target.dataset?.tipStop !== undefined) move(target, MOVES[key], pressed);
  });
  document.addEventListener("focusin", ({ target }) => {
    const element = target.closest("[data-tip]");
    if (element) describe(element, target);
    if (element && byKeyboard) offer(element);
  });
  document.addEventListener("focusout", () => held || close()); // a finger that is lifted moves the focus
  document.addEventListener("input", close);
  document.addEventListener("scroll", () => shown && close(), true);

  function move(from, by, pressed) {
    const stops = stopsBeside(from);
    const to = stops[stops.indexOf(from) + by];
    if (!to) return;
    pressed.preventDefault();
    from.tabIndex = -1;
    to.tabIndex = 0;
    to.focus();
  }

  const stopsBeside = (mark) =>
    [...(mark.closest(GROUP)?.querySelectorAll("[data-tip-stop]") ?? [mark])].filter(
      (each) => each.closest(GROUP) === mark.closest(GROUP),
    );

  // --- marks that are new on the page --------------------------------------------------------------

  function describe(element, focused) {
    const key = element.dataset.tip;
    const other = focused.getAttribute("aria-describedby") ?? "tip_";
    if (!key || !(key in TIPS) || !other.startsWith("tip_")) return; // a control's help or its problem stays
    const id = `tip_${key.replace(".", "_")}`;
    if (id === other) return;
    if (!document.getElementById(id)) texts.append(Object.assign(make("p", "", TIPS[key].text), { id }));
    focused.setAttribute("aria-describedby", id);
  }

  function settle() {
    settling = 0;
    listeners.forEach((listener) => listener());
    for (const element of document.querySelectorAll("[data-tip]")) {
      if (given.get(element)?.handle) continue; // a setting, whose control takes the focus
      const control = controlOf(element);
      if (!control) {
        element.dataset.tipStop = "";
        const first = stopsBeside(element).find((stop) => stop.tabIndex === 0) ?? element;
        element.tabIndex = first === element ? 0 : -1;
      }
      describe(element, control ?? element);
    }
  }

  // What takes the focus for an element with a tip: itself, what it holds or what it names.
  function controlOf(element) {
    if (element.matches(TAKES_FOCUS) && element.dataset.tipStop === undefined) return element;
    return element.querySelector(TAKES_FOCUS) ?? element.closest("label")?.control ?? null;
  }

  new MutationObserver(() => {
    settling ||= setTimeout(settle, SETTLE_MS);
  }).observe(document.body, { childList: true, subtree: true });
  settle();
}
