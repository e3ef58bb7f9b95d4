// Undo and redo of every change of the form and of the pinned schedules, by two buttons and by keys;
// and a form that outlives the page: a reload, a restart of the browser, another version.

import { beginning } from "./beginning.js";
import { connect, fillForm, formShown } from "./form.js";
import { keptBy } from "./kept_form.js";
import { keepPicture } from "./kept_picture.js";
import { showReport } from "./report.js";
import { pinned, restorePins } from "../plot/pins.js";
import { emit, on } from "../shared/signals.js";
import { state, subscribe } from "../shared/store.js";
import { setTabState, tabState } from "../shared/tab_state.js";
import { changed, makeHistory } from "./undo.js";

const KEEP_AFTER_MS = 300;
const FILLED_MS = 500; // after which the settings count as filled in, whatever Gradio has done
const ANSWERED_MS = 1000; // after which they are shown, also without the server's answer
const TYPED = "textarea, [role=slider], input:not([type=checkbox], [type=radio], [role=combobox])";
const OTHERS = ".scheduler-file textarea, .past-runs input"; // text outside the form keeps the browser's undo

const NOTHING_KEPT = {
  title: "This browser stores nothing",
  problem: "Settings, presets and pins end with the page, or when it is loaded again. Save and Copy link keep them.",
};
const NO_ROOM = {
  title: "Not kept",
  problem: "This browser has no room for these settings: they are lost when you close the page.",
};

export function mount({ element, props, trigger }) {
  const [undoButton, redoButton] = [".undo", ".redo"].map((query) => element.querySelector(query));
  const spoken = element.querySelector("[role=status]");
  let history = null;
  let actedAt = 0; // when the user last acted since the newest entry; 0: not at all
  let unread = false; // may Gradio not have reported something typed since the last undo?
  let chosen = false; // is the newest entry the choice of a model, whose settings are still to come?
  let pressed = false; // a pointer press and all its effects are one entry, however late
  let begun = false; // is the form what the page begins with?
  let timer = 0;
  const kept = keptBy(props.version);

  function note(values) {
    if (!history) return begin(values);
    values = { ...values, pins: pinned() };
    const fields = changed(history.present(), values);
    if (!fields.length) return;
    const typed = pressed || Boolean(document.activeElement?.matches(TYPED));
    const served = !actedAt;
    const follows = served && (chosen || !history.canUndo());
    history.record(values, { now: actedAt || Date.now(), typed, follows, patience: pressed ? Infinity : undefined });
    chosen = follows ? chosen : fields.includes("model");
    actedAt = 0;
    refresh();
    emit("edited", { fields, served });
  }

  // What was brought back, or opened by a link, is undone as one change: the defaults come before it.
  async function begin(values) {
    history = makeHistory({ ...values, pins: pinned() });
    const start = await beginning(kept, props.value);
    const wanted = { ...history.present(), ...start?.values };
    if (start && changed(history.present(), wanted).length) {
      history.record(wanted);
      const { answer } = state;
      fillForm(start.values);
      actedAt = 0;
      chosen = true; // a model's settings that are still to come belong to it
      once("settled", FILLED_MS, () => afterAnswer(answer, show));
    } else show();
    begun = true;
    element.toggleAttribute("data-ready", true);
    refresh();
    if (start?.title) showReport(start);
    else if (!kept.isPossible() && !tabState().toldOfStorage) {
      setTabState({ toldOfStorage: true });
      showReport(NOTHING_KEPT);
    }
  }

  // Until then early.js has the settings hidden, and what is arranged by the lanes: no default is seen that
  // is about to be replaced.
  const show = () => document.documentElement.removeAttribute("data-beginning");

  function keep() {
    clearTimeout(timer);
    const form = begun && formShown();
    if (!form) return;
    keepPicture(form.init_image);
    if (!kept.keep(form)) showReport(NO_ROOM);
  }

  function keepSoon() {
    clearTimeout(timer);
    timer = setTimeout(keep, KEEP_AFTER_MS);
  }

  function move(act, announcement) {
    if (unread && history) note(formShown());
    unread = false;
    const before = history?.present();
    const values = history?.[act]();
    if (!values) return;
    chosen = false;
    spoken.textContent = "";
    restorePins(values.pins);
    if (changed(before, { ...values, pins: before.pins }).length) fillForm(values);
    actedAt = 0;
    refresh();
    requestAnimationFrame(() => (spoken.textContent = announcement));
    emit("edited", { fields: [], served: false });
  }

  function refresh() {
    undoButton.disabled = !history.canUndo();
    redoButton.disabled = !history.canRedo();
  }

  const undo = () => move("undo", "Undone.");
  const redo = () => move("redo", "Redone.");

  function press(event) {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || event.isComposing) return;
    const key = event.key.toLowerCase();
    if ((key !== "z" && key !== "y") || event.target.closest?.(OTHERS)) return;
    event.preventDefault(); // or the control undoes once more what the form has undone
    event.stopPropagation();
    if (key === "y" || event.shiftKey) redo();
    else undo();
  }

  undoButton.addEventListener("click", undo);
  redoButton.addEventListener("click", redo);
  document.addEventListener("keydown", press, true);
  for (const name of ["input", "change", "click", "keydown", "drop"]) {
    document.addEventListener(name, () => (actedAt = Date.now()), true);
  }
  document.addEventListener("input", () => (unread = true), true);
  document.addEventListener("pointerdown", () => hold(true), true);
  document.addEventListener("keydown", () => (pressed = false), true);
  document.addEventListener("drop", () => hold(false), true);
  document.addEventListener("focusin", () => history?.close());

  function hold(is) {
    history?.close();
    pressed = is;
  }

  on("settled", note);
  on("settled", keepSoon);
  on("filling", () => (actedAt = Date.now()));
  subscribe("pins", () => history && note(history.present()));
  subscribe("model", ({ model }) => (actedAt = model.loading ? actedAt : 0)); // its settings come from the server
  window.addEventListener("pagehide", keep);
  document.addEventListener("visibilitychange", () => document.hidden && keep()); // phones end pages then
  connect({ names: props.value, trigger });
}

// Call `act` at the next signal, or after so long.
function once(signal, patience, act) {
  let done = false;
  const first = () => {
    if (!done) act();
    done = true;
  };
  on(signal, first);
  setTimeout(first, patience);
}

// Call `act` once the server has answered anew, or after a while.
function afterAnswer(before, act) {
  if (state.answer !== before) return act();
  const end = subscribe("answer", finish);
  const timer = setTimeout(finish, ANSWERED_MS);
  function finish() {
    end();
    clearTimeout(timer);
    act();
  }
}
