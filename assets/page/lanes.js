// The form beyond Gradio's own: sentences beside the controls, and labels that drag.

import { dragNumbers } from "./drag.js";
import { on } from "./store.js";

export function mount() {
  dragNumbers(document.querySelector("#settings"));
  on("settings", ({ problems }) => {
    document.querySelectorAll(".sentence.beside").forEach((old) => old.remove());
    document.querySelectorAll("[aria-invalid]").forEach((box) => box.removeAttribute("aria-invalid"));
    problems.forEach(({ control, sentence }) => control && place(control, sentence));
  });
}

function place(id, sentence) {
  const control = document.getElementById(id);
  if (!control) return;
  const note = document.createElement("p");
  note.className = "sentence beside";
  note.id = `${id}_problem`;
  note.textContent = sentence;
  const row = control.closest(".row");
  if (row) row.append(note);
  else control.after(note); // inside, a control of a fixed height would let it stand over the next
  const box = control.querySelector("input, textarea");
  box?.setAttribute("aria-invalid", "true");
  box?.setAttribute("aria-describedby", note.id);
}
