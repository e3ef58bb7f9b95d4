// A lane's settings as a scheduler_config.json: pasted or opened, and downloaded.

import { make } from "../shared/dom.js";
import { giveText } from "../shared/drop.js";
import { letter } from "../shared/names.js";
import { follow, state } from "../shared/store.js";
import { columnsOf } from "./fields.js";
import { applySettings } from "./form.js";

export function mount({ element, props, server }) {
  const find = (name) => element.querySelector(name);
  const [menu, text, input] = [find("select"), find("textarea"), find("input[type=file]")];
  const column = () => state.lanes.columns[menu.selectedIndex];

  let lanes = ""; // the columns to which the newest message refers

  function report(message, notes = [], wrong = false, columns = state.lanes.columns) {
    lanes = JSON.stringify(columns);
    find(".message").textContent = message;
    find(".message").classList.toggle("sentence", wrong);
    find(".notes").replaceChildren(...notes.map((note) => make("li", "", note)));
  }

  // The message begins with whether the file was taken over; a refusal does not change the lane.
  async function take(content) {
    if (!content.trim()) return report("Paste the file's text, or open one.", [], true);
    if (!/^\s*[[{]/.test(content)) {
      report("");
      return giveText(content); // no JSON: a text of A1111, say, which is for the whole form
    }
    const lane = menu.selectedIndex;
    const { values, notes, problem } = await ask(server.take_file, { text: content, sampler: column().sampler });
    if (problem) return report(problem, [], true);
    report("Taken over.", notes, false, columnsOf(applySettings(lane, values)));
  }

  async function save() {
    const { text: content, problem } = await ask(server.make_file, column());
    if (problem) return report(problem, [], true);
    const url = URL.createObjectURL(new Blob([content], { type: "application/json" }));
    Object.assign(make("a"), { href: url, download: props.value.name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
    report(`Written as ${props.value.name}.`);
  }

  // A single choice if all lanes share the settings of a file, or if there is one lane.
  function fillMenu() {
    const chosen = menu.selectedIndex;
    const names = state.lanes.same ? ["All lanes"] : state.lanes.columns.map((_, lane) => `Lane ${letter(lane)}`);
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
    if (file.size > props.value.largest) return report("Not taken over: this file is too large to hold a scheduler's settings.", [], true);
    text.value = await file.text();
    take(text.value);
  });
  text.addEventListener("input", () => report(""));
  follow("lanes", () => {
    if (JSON.stringify(state.lanes.columns) !== lanes) report(""); // outdated
    fillMenu();
  });
}

// The server's answer; a problem if there is none.
async function ask(server, given) {
  try {
    return await server(given);
  } catch {
    return { problem: "The server did not answer; try again." };
  }
}
