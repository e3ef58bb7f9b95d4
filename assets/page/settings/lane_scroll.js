// In the corner of a wide table: two buttons that name the lanes out of sight, and scroll to them.

import { laneLetter, make } from "../shared/dom.js";
import { letter } from "../shared/names.js";

const LETTER = 14; // pixels of a head: a lane is in sight if its letter is
const GAP = 6;

export function makeScroller(table) {
  const buttons = [makeButton("before", -1), makeButton("after", 1)];
  const corner = make("span", "out-of-sight", ...buttons.map(({ button }) => button));
  let heads = [];
  let frame = 0;

  function makeButton(name, sign) {
    const button = Object.assign(make("button", `${name} quiet-button`), { type: "button" });
    button.addEventListener("click", () => show(sign));
    return { button, sign };
  }

  // The lanes on one side that are out of sight, in order.
  function hidden(sign) {
    const [left, right] = [corner.parentElement, table].map((each) => each.getBoundingClientRect().right);
    const isOut = (head) => {
      const at = head.getBoundingClientRect().left;
      return sign < 0 ? at < left - 1 : at + LETTER > right;
    };
    return heads.map((head, lane) => (isOut(head) ? lane : -1)).filter((lane) => lane >= 0);
  }

  function refresh() {
    frame = 0;
    if (!corner.isConnected) return;
    for (const { button, sign } of buttons) {
      const lanes = hidden(sign);
      const letters = lanes.map(laneLetter);
      const focused = document.activeElement === button;
      button.hidden = !lanes.length;
      if (focused && button.hidden) buttons.find((other) => other.button !== button).button.focus();
      button.setAttribute("aria-label", `${lanes.map(letter).join(" ")}: show ${sign < 0 ? "the lanes before" : "the lanes after"}`);
      button.replaceChildren(...(sign < 0 ? ["‹", ...letters] : [...letters, "›"]));
    }
  }

  // Scroll to the nearest lane that is out of sight, and as many more as there is room for.
  function show(sign) {
    const lanes = hidden(sign);
    const nearest = heads[sign < 0 ? lanes.at(-1) : lanes[0]];
    if (!nearest) return;
    const [head, sight, label] = [nearest, table, corner.parentElement].map((each) => each.getBoundingClientRect());
    table.scrollBy({ left: sign < 0 ? head.right - sight.right : head.left - label.right - GAP });
  }

  const ask = () => (frame ||= requestAnimationFrame(refresh));
  table.addEventListener("scroll", ask, { passive: true });
  new ResizeObserver(ask).observe(table);

  return {
    corner,
    follow(made) {
      heads = made;
      refresh();
      ask();
    },
  };
}
