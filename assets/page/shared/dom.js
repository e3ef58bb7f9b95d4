// The page's elements: how they are made, found and coloured.

import { laneKey, letter } from "./names.js";

// String children become text, never markup.
export function make(tag, className = "", ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

// "A" in the colour of its lane.
export const laneLetter = (lane) => make("b", `lane-${laneKey(lane)}`, letter(lane));

// Another text in an element that has nothing else. Its node stays: where one comes or goes, browsers look
// at the styles of the whole page again, because of `:has()`, and a frame of scrubbing has no time for that.
export function setText(element, text) {
  const node = element.firstChild;
  if (node?.nodeType !== Node.TEXT_NODE || node.nextSibling) element.textContent = text;
  else if (node.data !== `${text}`) node.data = text;
}

// Likewise: an attribute that is set again, to what it was, is one that has changed.
export function setHidden(element, is) {
  if (element.hidden !== is) element.hidden = is;
}

// A line drawing on a square of 16 by 16.
export function icon(path) {
  const space = "http://www.w3.org/2000/svg";
  const [drawing, line] = ["svg", "path"].map((tag) => document.createElementNS(space, tag));
  drawing.setAttribute("viewBox", "0 0 16 16");
  drawing.setAttribute("aria-hidden", "true");
  line.setAttribute("d", path);
  drawing.append(line);
  return drawing;
}

// Components are mounted in no fixed order: wait for an element of another one.
export async function waitForElement(query) {
  for (;;) {
    const element = document.querySelector(query);
    if (element) return element;
    await new Promise(requestAnimationFrame);
  }
}

export const styleOf = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();

// The URL of a file named by the server, under the app's root path.
export const fileUrl = (path) =>
  path.startsWith("data:") ? path : `${window.gradio_config.root}/${path}`;
