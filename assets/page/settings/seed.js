// Beside the seed: dice draw another one, and a lock keeps it for every run. Unlocked, the value is -1:
// each run draws a seed, which the bar shows.

import { iconButton } from "./controls.js";
import { fillForm } from "./form.js";
import { waitForElement, make } from "../shared/dom.js";
import { on } from "../shared/signals.js";
import { state } from "../shared/store.js";

const RANDOM = -1;
const DICE = "M3 3h10v10H3zM5.7 5.7h.01M8 8h.01M10.3 10.3h.01M10.3 5.7h.01M5.7 10.3h.01";
const LOCK = "M4 7.5h8V13H4zM5.5 7.5V5.2a2.5 2.5 0 0 1 5 0v2.3";

export async function addSeedButtons() {
  const control = await waitForElement("#seed input");
  const dice = iconButton("dice", "Draw another seed", DICE);
  const lock = iconButton("lock", "The same seed for every run", LOCK);
  const buttons = make("div", "seed-buttons", dice, lock);
  let kept = 7; // the newest seed: of the box, or of a run
  control.closest("#seed").append(buttons);

  dice.addEventListener("click", () => fillForm({ seed: crypto.getRandomValues(new Uint32Array(1))[0] }));
  lock.addEventListener("click", () => fillForm({ seed: isRandom() ? kept : RANDOM }));

  const isRandom = () => state.form?.seed === RANDOM;
  const show = (is) => lock.setAttribute("aria-pressed", is);
  on("settled", ({ seed }) => {
    if (seed >= 0 && seed !== null) kept = seed;
    show(seed !== RANDOM);
  });
  on("end", ({ run }) => {
    if (run && isRandom()) kept = run.seed;
  });
  show(true);
}
