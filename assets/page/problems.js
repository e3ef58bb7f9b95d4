// Sentences beside the controls that they are about.

let shown = [];

// `problems` are {control, sentence}, the control by its element id; those before them go.
export function showProblems(problems = shown) {
  shown = problems;
  document.querySelectorAll(".sentence.beside").forEach((old) => old.remove());
  document.querySelectorAll("[aria-invalid]").forEach(acquit);
  problems.forEach(({ control, sentence }) => control && place(control, sentence));
}

export function place(id, sentence) {
  const control = document.getElementById(id);
  if (!control) return;
  const note = document.createElement("p");
  note.className = "sentence beside";
  note.id = `${id}_problem`;
  note.textContent = sentence;
  const row = control.closest(".row, .knob");
  if (row) row.append(note);
  else control.after(note); // inside, a control of a fixed height would let it stand over the next
  const box = control.querySelector("input, select, textarea");
  box?.setAttribute("aria-invalid", "true");
  box?.setAttribute("aria-describedby", note.id);
}

function acquit(box) {
  box.removeAttribute("aria-invalid");
  if (box.dataset.hint) box.setAttribute("aria-describedby", box.dataset.hint);
  else box.removeAttribute("aria-describedby");
}
