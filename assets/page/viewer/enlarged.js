// One picture in a dialog of its own, at its real size or as large as the window lets it be.

import { placeholder } from "./pane.js";
import { saveKind } from "../save/kinds.js";
import { laneKey, letter, stepName } from "../shared/names.js";

const REVOKE_MS = 60_000; // a browser may begin to read a large file late
const FAILED = "This browser could not make a file of the picture.";

// `move(by)` goes to another call of the lane; `id()` is that of the run on screen, if the server has it.
export function makeEnlarged(element, { move, id }) {
  const dialog = element.querySelector(".enlarged");
  const [room, canvas, where, size, note, zoom, save] = [
    ".room",
    "canvas",
    ".where",
    ".size",
    ".caption",
    ".zoom",
    ".save",
  ].map((query) => dialog.querySelector(query));
  let what = null; // { lanes, draw }, null while it is closed; without `draw` it is the picture of its one lane
  let isReal = false; // at its real size, though it is larger than the room
  let shown = null; // the pictures that it is one of
  let name = ""; // of the picture's file

  function fit() {
    const { clientWidth, clientHeight } = room;
    const factor = Math.min(clientWidth / canvas.width, clientHeight / canvas.height);
    const times = factor >= 1 ? Math.floor(factor) : isReal ? 1 : factor;
    canvas.style.width = `${canvas.width * times}px`;
    canvas.style.height = `${canvas.height * times}px`;
    canvas.toggleAttribute("data-pixels", times > 1);
    zoom.disabled = factor >= 1;
    zoom.textContent = isReal && factor < 1 ? "Fit" : "Real size";
    const scale = times > 1 ? `, ${times}× as large` : times < 1 ? `, at ${Math.round(100 * times)} %` : "";
    size.textContent = `${canvas.width} × ${canvas.height}${scale}`;
  }

  function draw(pictures, caption) {
    if (!what) return;
    shown = pictures;
    const lane = Math.min(what.lanes[0], pictures.lanes.length - 1);
    const { label, calls } = pictures.lanes[lane];
    const call = calls[pictures.cursor[lane]];
    const compared = Boolean(what.draw);
    dialog.className = `enlarged lane-${laneKey(lane)}`;
    dialog.querySelector(".chip").textContent = compared ? "" : letter(lane);
    dialog.querySelector(".name").textContent = compared ? what.lanes.map(letter).join(" minus ") : label;
    where.textContent = call
      ? `step ${stepName(call)}, call ${pictures.cursor[lane] + 1}, sigma ${Number(call.sigma.toPrecision(4))}`
      : "before its first call";
    note.textContent = pictures.problem(lane) || caption;
    if (!call) placeholder(canvas);
    else if (compared) what.draw(canvas, pictures);
    else pictures.paint(canvas, lane);
    canvas.setAttribute("aria-label", `${what.lanes.map(letter).join(" minus ")}, ${pictures.view}, ${where.textContent}`);
    const at = call ? `-call-${pictures.cursor[lane] + 1}` : "";
    name = `${what.lanes.map((each) => `lane-${laneKey(each)}`).join("-minus-")}${at}-${pictures.view}.png`;
    fit();
  }

  function close() {
    dialog.close();
  }

  async function saveIt() {
    const [lane] = what.lanes;
    save.disabled = true;
    try {
      // The finished picture's file has its settings in it.
      if (!what.draw && shown.finished(lane) && id()) await saveKind(id(), "png", lane);
      else await saveCanvas();
    } catch (error) {
      note.textContent = error.message;
    }
    save.disabled = false;
  }

  async function saveCanvas() {
    const file = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
    if (!file) throw new Error(FAILED);
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(file), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), REVOKE_MS);
  }

  function changeLane(by) {
    const count = shown.lanes.length;
    what = { lanes: [(what.lanes[0] + by + count) % count] };
    move(0, what.lanes[0]);
  }

  const keys = {
    ArrowLeft: () => move(-1, what.lanes[0]),
    ArrowRight: () => move(1, what.lanes[0]),
    Home: () => move(-Infinity, what.lanes[0]),
    End: () => move(Infinity, what.lanes[0]),
    ArrowUp: () => what.draw || changeLane(-1),
    ArrowDown: () => what.draw || changeLane(1),
  };
  dialog.addEventListener("keydown", (event) => {
    const scrolls = isReal && document.activeElement === room; // then the arrows move the picture
    if (!keys[event.key] || scrolls) return;
    event.preventDefault();
    keys[event.key]();
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) close(); // beside it
    const by = event.target.closest("[data-move]")?.dataset.move;
    if (by) move(Number(by), what.lanes[0]);
  });
  dialog.querySelector(".close").addEventListener("click", close);
  dialog.addEventListener("close", () => (what = null));
  zoom.addEventListener("click", () => {
    isReal = !isReal;
    fit();
  });
  save.addEventListener("click", saveIt);
  new ResizeObserver(() => what && fit()).observe(room);

  return {
    // A lane's picture, or what `draw(canvas, pictures)` makes of two.
    open(lanes, drawing = null) {
      what = { lanes, draw: drawing };
      isReal = false;
      dialog.setAttribute("aria-label", "A picture in full size");
      dialog.showModal();
    },
    get isOpen() {
      return what !== null;
    },
    draw,
    close: () => what && close(),
  };
}
