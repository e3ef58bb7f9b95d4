// Error messages beside their controls.

import { laneLetter, make } from "../shared/dom.js";
import { laneKey } from "../shared/names.js";
import { on } from "../shared/signals.js";
import { state } from "../shared/store.js";

// Show those of the newest answer, {control, sentence} with the control's element id; remove others.
export function showProblems() {
  document.querySelectorAll(".sentence.beside").forEach((old) => old.remove());
  document.querySelectorAll("[aria-invalid]").forEach(clearInvalid);
  state.answer?.problems.forEach(({ control, sentence }) => control && place(control, sentence));
}

// A summary for places far from the controls: controls that show their problem are only named.
export function summaryOf(problems) {
  const names = problems.map(({ control }) => nameOf(control));
  const sentences = problems.filter((_, at) => !names[at]).map(({ sentence }) => sentence);
  const named = [...new Set(names.filter(Boolean))];
  if (named.length) sentences.unshift(`Not redrawn while a setting is wrong: ${named.join(", ")}.`);
  return [...new Set(sentences)].join(" ");
}

function nameOf(id) {
  const control = id ? document.getElementById(id) : null; // some problems belong to no control
  const row = control?.closest(".field") ?? control;
  const name = row?.querySelector(".name, [data-testid=block-info]");
  return name?.textContent.trim() ?? "";
}

// A run was refused: scroll to the setting to correct, if the settings are open.
on("end", ({ state }) => {
  if (state !== "error") return;
  document.querySelector("#settings.open [aria-invalid=true]")?.scrollIntoView({ block: "nearest" });
});

export function place(id, sentence) {
  const control = document.getElementById(id);
  if (!control) return;
  const note = make("p", "sentence beside", ...laneOf(id), sentence);
  note.id = `${id}_problem`;
  const row = control.closest(".row, .field");
  if (row) row.append(note);
  else control.after(note); // inside a control of a fixed height it would overlap the next one
  const box = control.querySelector("input, select, textarea");
  box?.setAttribute("aria-invalid", "true");
  box?.setAttribute("aria-describedby", note.id);
}

// The letter of the lane that the control is of, where its column is one of several in a row.
function laneOf(id) {
  const { columns, same } = state.lanes;
  const lane = columns.findIndex((_, at) => id.startsWith(`${laneKey(at)}_`));
  return lane < 0 || columns.length < 2 || same ? [] : [laneLetter(lane), " "];
}

function clearInvalid(box) {
  box.removeAttribute("aria-invalid");
  if (box.dataset.hint) box.setAttribute("aria-describedby", box.dataset.hint);
  else box.removeAttribute("aria-describedby");
}
