// Two lanes in one place: a divider that is moved between their pictures, or the difference of the two.

import { drawNumbers } from "./decoding.js";
import { fillFacts, placeholder } from "./pane.js";
import { amplify, minus } from "./signed.js";
import { setHidden, setText } from "../shared/dom.js";
import { laneKey, letter } from "../shared/names.js";
import { emit } from "../shared/signals.js";

const STEP = 2; // percent that an arrow key moves the divider
const PAGE = 10;
const WIDEST = 0.62; // of the room: the rest is for the numbers

export function makeComparison(element, enlarge) {
  const box = element.querySelector(".comparison");
  const screen = box.querySelector(".screen");
  const [under, over] = [".under", ".over"].map((query) => box.querySelector(query));
  const divider = box.querySelector(".divider");
  const enlarging = box.querySelector(".enlarge");
  const broken = box.querySelector(".broken");
  const tags = [...box.querySelectorAll(".tag")];
  const sides = [0, 1].map((at) => makeSide(box, at, choose));
  let lanes = [0, 1];
  let split = 50; // percent of the picture that is the first lane's
  let difference = null; // the newest one, which the next one is written over

  function choose(at, lane) {
    const chosen = [...lanes];
    chosen[at] = lane;
    emit("compare", { lanes: chosen });
  }

  function setSplit(percent) {
    split = Math.min(100, Math.max(0, Math.round(percent)));
    screen.style.setProperty("--split", `${split}%`);
    divider.setAttribute("aria-valuenow", split);
    divider.setAttribute("aria-valuetext", `${split} % ${letter(lanes[0])}, ${100 - split} % ${letter(lanes[1])}`);
  }

  function follow({ clientX }) {
    const { left, width } = screen.getBoundingClientRect();
    setSplit((100 * (clientX - left)) / width);
  }

  screen.addEventListener("pointerdown", (event) => {
    if (box.dataset.mode !== "slider" || event.button) return;
    event.preventDefault();
    divider.focus({ preventScroll: true });
    screen.setPointerCapture(event.pointerId);
    follow(event);
  });
  screen.addEventListener("pointermove", (event) => screen.hasPointerCapture(event.pointerId) && follow(event));
  divider.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: -STEP, ArrowDown: -STEP, ArrowRight: STEP, ArrowUp: STEP, PageDown: -PAGE, PageUp: PAGE };
    const to = { Home: 0, End: 100 }[event.key] ?? split + (moves[event.key] ?? NaN);
    if (Number.isNaN(to)) return;
    event.preventDefault();
    setSplit(to);
  });
  enlarging.addEventListener("click", enlarge);

  function drawDifference(canvas, shown) {
    if (lanes.some((lane) => isMissing(shown, lane))) return placeholder(canvas);
    const [first, second] = lanes.map((lane) => shown.signed(lane));
    canvas.toggleAttribute("data-pixels", shown.view === "latent");
    if (!first || !second) return;
    difference = minus(first, second, difference);
    drawNumbers(canvas, difference, amplify);
  }

  return {
    // The lanes that are compared, of `count`: a lane that is not there is the last one.
    set({ mode, lanes: wanted }, count) {
      lanes = wanted.map((lane) => Math.max(0, Math.min(lane, count - 1)));
      box.dataset.mode = mode;
      box.hidden = mode === "side";
      divider.hidden = mode !== "slider";
      enlarging.hidden = mode !== "difference";
      tags.forEach((tag, at) => {
        setText(tag, letter(lanes[at]));
        tag.className = `tag ${["first", "second"][at]} lane-${laneKey(lanes[at])}`;
      });
      divider.setAttribute("aria-label", `Divider between ${letter(lanes[0])} and ${letter(lanes[1])}`);
      setSplit(split);
    },
    get lanes() {
      return lanes;
    },
    fit: ({ width, height }) => box.style.setProperty("--side", `${Math.floor(Math.min(height, WIDEST * width))}px`),
    draw(shown) {
      sides.forEach((side, at) => side.show(shown, lanes[at]));
      const problem = lanes.map((lane) => shown.problem(lane)).find(Boolean) ?? "";
      setText(broken, problem);
      setHidden(broken, !problem);
      const names = lanes.map((lane) => shown.lanes[lane].label);
      if (box.dataset.mode === "difference") {
        drawDifference(under, shown);
        under.setAttribute("aria-label", `${names.join(" minus ")}, ${shown.view}`);
        return;
      }
      [over, under].forEach((canvas, at) => {
        if (isMissing(shown, lanes[at])) placeholder(canvas);
        else shown.paint(canvas, lanes[at]);
        canvas.setAttribute("aria-label", `${names[at]}, ${shown.view}`);
      });
    },
    drawDifference,
  };
}

// Has the lane nothing to show? It has not begun, or its pictures are damaged.
const isMissing = (shown, lane) => shown.cursor[lane] < 0 || shown.problem(lane) !== "";

// The numbers of one of the two, under a menu of the lanes.
function makeSide(box, at, choose) {
  const copy = box.closest(".viewer").querySelector("template").content.cloneNode(true);
  const side = copy.querySelector(".facts");
  const [head, list] = [side.querySelector("h2"), side.querySelector("dl")];
  const menu = document.createElement("select");
  menu.setAttribute("aria-label", ["First lane", "Second lane"][at]);
  menu.addEventListener("change", () => choose(at, menu.selectedIndex));
  head.replaceChildren(menu);
  box.querySelector(".sides").append(side);
  let filled = "";

  return {
    show({ lanes, cursor }, lane) {
      const names = lanes.map(({ label }, each) => `${letter(each)} ${label}`);
      if (filled !== names.join("\n")) {
        filled = names.join("\n");
        menu.replaceChildren(...names.map((name) => new Option(name)));
      }
      menu.selectedIndex = lane;
      side.className = `facts lane-${laneKey(lane)}`;
      fillFacts(list, lanes[lane], cursor[lane]);
    },
  };
}
