// Lanes with a list of sigmas do not take their steps from Steps: it says which, and how many they have.

import { LANES, on } from "../shared/store.js";

export function followLists() {
  const note = Object.assign(document.createElement("p"), { className: "from-list", id: "steps_from_list" });

  on("settings", ({ listed }) => {
    if (!listed) return; // a form that cannot be read changes nothing
    note.textContent = said(listed);
    const control = document.querySelector("#steps");
    control.querySelector("input").readOnly = listed.every(Boolean); // "disabled" is Gradio's to set
    if (note.textContent) control.append(note);
    else note.remove();
  });
}

function said(listed) {
  const counts = new Set(listed);
  if (listed.every(Boolean) && counts.size === 1) return `${listed[0]}, from the list`;
  const lanes = listed.map((steps, lane) => steps && `${LANES[lane].toUpperCase()}: ${steps}`).filter(Boolean);
  return lanes.length ? `${lanes.join(", ")}, from ${lanes.length > 1 ? "their lists" : "its list"}` : "";
}
