// A lane's settings as a scheduler_config.json: pasted or opened, and downloaded.

import { form, on, emit } from "../shared/store.js";

const LARGEST = 400_000; // bytes; the server's own limit is as many characters

export function mount({ element, props, server }) {
  const find = (name) => element.querySelector(name);
  const [menu, text, input] = [find("select"), find("textarea"), find("input[type=file]")];
  const column = () => form.columns[menu.selectedIndex];

  let lanes = ""; // as they were when something was told

  function tell(told, notes = [], wrong = false) {
    lanes = JSON.stringify(form.columns);
    find(".told").textContent = told;
    find(".told").classList.toggle("sentence", wrong);
    find(".notes").replaceChildren(
      ...notes.map((note) => Object.assign(document.createElement("li"), { textContent: note })),
    );
  }

  // The server's sentence says first whether the file was taken over; a refusal leaves the lane.
  async function take(content) {
    if (!content.trim()) return tell("Paste the file's text, or open one.", [], true);
    const lane = menu.selectedIndex;
    const { values, notes, problem } = await ask(server.take_file, { text: content, sampler: column().sampler });
    if (problem) return tell(problem, [], true);
    emit("apply", { lane, values });
    tell("Taken over.", notes);
  }

  async function save() {
    const { text: content, problem } = await ask(server.make_file, column());
    if (problem) return tell(problem, [], true);
    const url = URL.createObjectURL(new Blob([content], { type: "application/json" }));
    Object.assign(document.createElement("a"), { href: url, download: props.value.name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
    tell(`Written as ${props.value.name}.`);
  }

  // One choice where all lanes share what a file can say, or where there is one.
  function fillMenu() {
    const chosen = menu.selectedIndex;
    const names = form.same ? ["All lanes"] : form.columns.map((_, lane) => `Lane ${"ABCDEF"[lane]}`);
    if (names.join() === [...menu.options].map(({ value }) => value).join()) return;
    menu.replaceChildren(...names.map((name) => new Option(name)));
    menu.selectedIndex = Math.max(0, Math.min(chosen, names.length - 1));
    find(".lane").hidden = names.length === 1;
  }

  find(".take").addEventListener("click", () => take(text.value));
  find(".open").addEventListener("click", () => input.click());
  find(".save").addEventListener("click", save);
  input.addEventListener("change", async () => {
    const [file] = input.files;
    input.value = ""; // the same file may be chosen again
    if (!file) return;
    if (file.size > LARGEST) return tell("Not taken over: this file is too large to hold a scheduler's settings.", [], true);
    text.value = await file.text();
    take(text.value);
  });
  text.addEventListener("input", () => tell(""));
  on("lanes", () => JSON.stringify(form.columns) === lanes || tell("")); // old news by now
  on("lanes", fillMenu);
  fillMenu();
}

// What the server answers; that it does not is an answer too.
async function ask(server, given) {
  try {
    return await server(given);
  } catch {
    return { problem: "The server did not answer; try again." };
  }
}
