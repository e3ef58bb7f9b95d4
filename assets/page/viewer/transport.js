// The scrubber, and Play with its speed and its loop.

import { playCalls } from "./playing.js";
import { setHidden, setText } from "../shared/dom.js";
import { stepName, letter } from "../shared/names.js";

// `seek(call)` shows a call of the lane that the scrubber moves; `current()` is { call, last } of it;
// `follow()` goes back to the newest call of a run that goes on.
export function makeTransport(element, { seek, current, follow }) {
  const box = element.querySelector(".transport");
  const [range, play, where, speed, loop, live, align] = [
    "input[type=range]",
    ".play",
    "output",
    ".speed",
    ".loop",
    ".live",
    ".align",
  ].map((query) => box.querySelector(query));
  let playing = null; // stops it

  function setPlaying(on) {
    playing?.();
    playing = null;
    play.setAttribute("aria-pressed", on);
    play.setAttribute("aria-label", on ? "Pause" : "Play");
    if (!on) return;
    const { call, last } = current();
    const loops = loop.getAttribute("aria-pressed") === "true";
    const options = { speed: Number(speed.value), loop: loops, ended: () => setPlaying(false) };
    playing = playCalls(call < last ? call : 0, last, seek, options);
  }

  const again = () => playing && setPlaying(true);

  range.addEventListener("input", () => {
    setPlaying(false);
    seek(range.valueAsNumber);
  });
  range.addEventListener("pointerdown", () => range.focus()); // which Safari does not do
  range.addEventListener("keydown", (key) => {
    if (key.key !== " ") return;
    key.preventDefault();
    if (!play.disabled) setPlaying(!playing);
  });
  play.addEventListener("click", () => setPlaying(!playing));
  speed.addEventListener("change", again);
  loop.addEventListener("click", () => {
    loop.setAttribute("aria-pressed", loop.getAttribute("aria-pressed") !== "true");
    again();
  });
  live.addEventListener("click", () => {
    if (document.activeElement === live) range.focus(); // the button is about to go
    follow();
  });

  return {
    pause: () => setPlaying(false),
    // `on`: is there anything to scrub; `isLive`: while a run goes on, which can be looked back at.
    enable(on, isLive = false) {
      range.disabled = !on;
      for (const control of [play, speed, loop, align]) control.disabled = !on || isLive;
      box.toggleAttribute("data-live", on && isLive);
      if (!isLive) live.hidden = true;
    },
    // Where the scrubber stands, of the pictures on screen; `made` is how far a run that goes on has come.
    show({ lanes, cursor, lead, isLive, follows }) {
      const { calls, planned = calls.length } = lanes[lead];
      const alike = lanes.every((lane) => (lane.planned ?? lane.calls.length) === planned && lane.calls.length === calls.length);
      const at = cursor[lead];
      const text = `${alike ? "" : `${letter(lead)}: `}step ${at < 0 ? 0 : stepName(calls[at])}, call ${at + 1} of ${planned}`;
      range.max = calls.length - 1;
      range.value = Math.max(0, at);
      setText(where, text);
      range.setAttribute("aria-valuetext", text);
      setHidden(live, !isLive || follows);
    },
    clear: () => (where.textContent = ""),
    get align() {
      return align.querySelector("input:checked").value;
    },
  };
}
