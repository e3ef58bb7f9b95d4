// In the sidebar one line a lane: its letter, its sampler, and in a few words what differs from the model's
// defaults. A click opens the lane's settings.

import { iconButton } from "./controls.js";
import { lineOf } from "./fields.js";
import { laneLetter, make } from "../shared/dom.js";
import { laneKey, letter } from "../shared/names.js";

const REMOVE = "M4.5 4.5l7 7M11.5 4.5l-7 7";

// `on` are the actions of a user: open(lane), remove(lane).
export function makeLines(list, groups, on) {
  let lines = []; // {item, open, sampler, words}

  function lineFor(lane, count) {
    const [sampler, words] = [make("span", "sampler"), make("span", "words")];
    const open = make("button", "open", laneLetter(lane), sampler, words);
    open.type = "button";
    open.dataset.tip = "lanes.line";
    open.addEventListener("click", () => on.open(lane));
    const item = make("li", `lane-${laneKey(lane)}`, open);
    if (count > 1) {
      const remove = iconButton("remove", `Remove lane ${letter(lane)}`, REMOVE);
      remove.addEventListener("click", () => on.remove(lane));
      item.append(remove);
    }
    return { item, open, sampler, words };
  }

  // `chosen` is the lane whose settings the table below shows, null where it shows all.
  function show(state, defaults, chosen) {
    const count = state.lanes.length;
    if (lines.length !== count) {
      lines = state.lanes.map((_, lane) => lineFor(lane, count));
      list.replaceChildren(...lines.map(({ item }) => item));
    }
    lines.forEach(({ open, sampler, words }, lane) => {
      const line = lineOf(lane, state, groups, defaults);
      [sampler.textContent, words.textContent] = [line.sampler, line.differs];
      if (chosen === lane) open.setAttribute("aria-current", "true");
      else open.removeAttribute("aria-current");
    });
  }

  const focus = (lane) => (lines[lane]?.item.querySelector(".remove") ?? lines[lane]?.open)?.focus();

  return { show, focus };
}
