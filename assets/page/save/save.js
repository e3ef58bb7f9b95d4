// The Save menu: what can be taken away of the run on screen, and of one of its lanes.

import { Animation } from "./animation.js";
import { copyKind, saveKind } from "./kinds.js";
import { makeMenu } from "./menu.js";
import { make } from "../shared/dom.js";
import { laneKey, letter } from "../shared/names.js";
import { on } from "../shared/signals.js";
import { state, subscribe } from "../shared/store.js";

const NO_RUN = "There is no finished run to save yet.";
const GOES_ON = "A run is going on; it can be saved when it has ended.";
const DELETED = "This run is deleted: restore it from the history to save it.";
const NOWHERE = "The server has not kept this run, so it cannot be saved.";
const NO_PICTURE = "This lane has no picture: the run ended before it was made.";
const NO_FRAMES = "There are no calls to animate.";

export function mount({ element, props }) {
  const [button, popup, list, said, missing, box] = [
    ".save-button",
    ".save-menu",
    ".entries",
    ".said",
    ".missing",
    "textarea",
  ].map((query) => element.querySelector(query));
  const menu = makeMenu({ button, popup, list });
  const animation = new Animation(showAnimation);
  let lane = 0; // whose entries are shown
  const deleted = new Set(); // ids
  let hasCursor = true; // is the sigma plot part of an animation?
  let shown = null; // the recording that the menu is about, or why there is none

  const lanes = () => state.recorded?.lanes ?? [];
  const hasCalls = (shown) => shown.some(({ calls }) => calls.length);

  // Why nothing can be saved; "" if something can.
  function problem() {
    if (state.run.state === "running") return GOES_ON;
    if (!state.recorded) return NO_RUN;
    if (deleted.has(state.recorded.id)) return DELETED;
    return state.recorded.id ? "" : NOWHERE;
  }

  function refresh() {
    const sentence = problem();
    if (shown === (sentence || state.recorded)) return; // the scrubber has moved
    shown = sentence || state.recorded;
    button.setAttribute("aria-disabled", Boolean(sentence));
    tell(sentence);
    if (lane >= lanes().length) lane = 0;
    if (menu.isOpen()) fill();
  }

  // A sentence takes the place of the button's tip.
  function tell(sentence) {
    button.title = sentence;
    if (sentence) button.removeAttribute("data-tip");
    else button.dataset.tip = "save";
  }

  function fill() {
    const sentence = problem();
    say(sentence);
    menu.show(sentence ? [] : [runGroup(), laneGroup()].filter(Boolean));
  }

  function runGroup() {
    const frames = hasCalls(lanes()) ? "" : NO_FRAMES;
    return {
      label: lanes().length > 1 ? "The run" : "",
      entries: [
        save("zip", "Everything", ".zip"),
        save("html", "A page of its own", ".html"),
        save("csv", "Table of the calls", ".csv"),
        animate("webp", "Animation", ".webp", null, frames),
        animate("mp4", "Animation", ".mp4", null, props.without_mp4 || frames),
        {
          label: "with the sigma cursor",
          checked: hasCursor,
          act: () => {
            hasCursor = !hasCursor;
            fill();
          },
        },
        copy("json", "Copy the settings", "JSON"),
      ],
    };
  }

  function laneGroup() {
    const { image, calls } = lanes()[lane];
    return {
      label: lanes().length > 1 ? "The lane" : "",
      choice: lanes().length > 1 && {
        label: "Lane",
        chosen: lane,
        names: lanes().map((each, at) => [letter(at), each.label, `lane-${laneKey(at)}`]),
        choose: (at) => {
          lane = at;
          fill();
        },
      },
      entries: [
        save("png", "Picture", ".png", lane, image ? "" : NO_PICTURE),
        lanes().length > 1 && animate("webp", "Animation", ".webp", lane, calls.length ? "" : NO_FRAMES),
        save("scheduler", "scheduler_config.json", "", lane),
        copy("python", "Copy as Python", "diffusers", lane),
        copy("a1111", "Copy for A1111", "text", lane),
        copy("comfyui", "Copy for ComfyUI", "sigmas", lane),
      ].filter(Boolean),
    };
  }

  // --- what the entries do ---

  const save = (kind, label, hint, of = null, refusal = "") => ({
    label,
    hint,
    refusal,
    act: () => working(`Making ${hint || label}`, () => saveKind(state.recorded.id, kind, of).then(() => "Saved.")),
  });

  const copy = (kind, label, hint, of = null) => ({
    label,
    hint,
    act: () => working("Copying", () => copied(kind, of)),
  });

  async function copied(kind, of) {
    const text = await copyKind(state.recorded.id, kind, of);
    const lacks = text.missing.map((sentence) => make("li", "", sentence));
    missing.replaceChildren(...lacks);
    const note = lacks.length ? " Diffusers alone cannot do all of it, so it takes Sampler Explorer:" : "";
    if (text.isCopied) return `Copied.${note}`;
    box.hidden = false;
    box.value = text.text;
    box.focus();
    box.select();
    return `This browser lets no page copy: the text is selected here.${note}`;
  }

  const animate = (kind, label, hint, of, refusal) => {
    if (!animation.is(kind, of)) {
      const act = () => animation.start(state.recorded.id, { kind, lane: of, hasCursor });
      return { label, hint, refusal, act };
    }
    return { label: "Stop the animation", hint: animation.position, share: animation.share, act: () => animation.stop() };
  };

  async function working(sentence, work) {
    say(sentence);
    try {
      said.textContent = await work(); // what else it shows stays
    } catch (error) {
      say(error.message);
    }
    [said, missing, box].forEach((part) => part.scrollIntoView({ block: "nearest" })); // on a low screen
  }

  function say(sentence) {
    said.textContent = sentence;
    missing.replaceChildren();
    box.hidden = true;
  }

  // The progress stays in its entry, and on the button once the menu is closed.
  function showAnimation(sentence) {
    button.style.setProperty("--made", animation.share);
    button.toggleAttribute("data-busy", animation.isBusy);
    if (menu.isOpen() && !problem()) menu.show([runGroup(), laneGroup()]);
    if (sentence) say(sentence);
    if (sentence && !menu.isOpen()) tell(sentence);
  }

  menu.onOpen(fill);
  subscribe(["run", "recorded"], refresh);
  on("rest", refresh);
  on("deleted", (id) => refresh(deleted.add(id)));
  on("restored", (id) => refresh(deleted.delete(id)));
  refresh();
}
