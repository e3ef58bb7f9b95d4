// How the lanes' sigmas differ from those of A1111 and ComfyUI, and the switch to run as they do.

import { applySettings } from "../settings/form.js";
import { laneLetter, make } from "../shared/dom.js";
import { laneKey, letter } from "../shared/names.js";
import { state } from "../shared/store.js";

// `isForms()`: is the table that of the form's lanes?
export function makeA1111(element, isForms) {
  const place = element.querySelector(".as-a1111");
  const sentences = element.querySelector(".differences");
  let answered = null; // the newest of the server's answers that is shown

  const lanes = () => state.curves?.a1111 ?? [];

  function show() {
    if (!lanes().length) return;
    const isNew = answered !== state.curves;
    answered = state.curves;
    drawSwitches(isNew);
    sentences.hidden = !isForms(); // the switch stays: it is where a press is taken back
    if (isNew) sentences.replaceChildren(...distinct().map(sentence));
  }

  // A switch for each lane, or one for all if they share their settings.
  function drawSwitches(isNew) {
    const switches = state.lanes.same ? [null] : [...lanes().keys()];
    const isMany = place.childElementCount !== switches.length;
    if (!isMany && !isNew) return; // pressed, and the server has yet to answer
    if (isMany) place.replaceChildren(...switches.map((lane) => makeSwitch(lane, switches.length)));
    [...place.children].forEach((label, at) => {
      label.querySelector("input").checked = lanes()[at].is;
      label.hidden = !lanes()[at].can;
    });
  }

  function makeSwitch(lane, count) {
    const label = make("label", lane === null ? "" : `lane-${laneKey(lane)}`);
    label.dataset.tip = "table.as_a1111";
    const box = Object.assign(make("input"), { type: "checkbox" });
    box.addEventListener("change", () => {
      const { values } = lanes()[lane ?? 0];
      const { modelDefaults } = state.lanes;
      const back = Object.fromEntries(Object.keys(values).map((name) => [name, modelDefaults[name]]));
      applySettings(lane, box.checked ? values : back);
    });
    label.append(box, " ");
    if (count > 1) label.append(make("b", "", letter(lane)), " ");
    label.append("as A1111 / ComfyUI");
    return label;
  }

  // Each difference once, with the lanes that have it.
  function distinct() {
    const byText = new Map();
    lanes().forEach(({ difference }, lane) => {
      if (difference) byText.set(difference, [...(byText.get(difference) ?? []), lane]);
    });
    return [...byText];
  }

  const sentence = ([difference, of]) =>
    make("li", "", ...of.flatMap((lane) => [laneLetter(lane), " "]), difference);

  return { show };
}
