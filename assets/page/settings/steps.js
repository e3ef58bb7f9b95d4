// Lanes with custom sigmas ignore Steps: a note there says which, and how many steps they have.

import { make } from "../shared/dom.js";
import { letter } from "../shared/names.js";
import { follow } from "../shared/store.js";

export function followLists() {
  const note = Object.assign(make("p", "from-list"), { id: "steps_from_list" });

  // An invalid form changes nothing.
  follow("curves", ({ curves: { listed } }) => {
    note.textContent = noteOf(listed);
    const control = document.querySelector("#steps");
    control.querySelector("input").readOnly = listed.every(Boolean); // "disabled" is Gradio's to set
    if (note.textContent) control.append(note);
    else note.remove();
  });
}

function noteOf(listed) {
  const counts = new Set(listed);
  if (listed.every(Boolean) && counts.size === 1) return `${listed[0]}, from the list`;
  const lanes = listed.map((steps, lane) => steps && `${letter(lane)}: ${steps}`).filter(Boolean);
  return lanes.length ? `${lanes.join(", ")}, from ${lanes.length > 1 ? "their lists" : "its list"}` : "";
}
