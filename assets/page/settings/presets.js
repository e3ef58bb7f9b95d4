// Presets: the field's, and the user's own with their file; and the way back to the defaults.

import { make } from "../shared/dom.js";
import { state } from "../shared/store.js";
import { iconButton } from "./controls.js";
import { withPreset } from "./field_presets.js";
import { formShown } from "./form.js";
import { defaultsOf, openForm } from "./opening.js";
import { showReport } from "./report.js";
import { take } from "./taking.js";
import { isPresets, makePresets } from "./user_presets.js";
import { onPresets } from "./open_settings.js";

const FILE = "sampler-explorer-presets.json";
const LARGEST = 2 ** 22;
const PENCIL = "M3 13l.6-2.6L11 3l2 2-7.4 7.4L3 13z";
const CROSS = "M4.5 4.5l7 7M11.5 4.5l-7 7";
const NOT_KEPT = "This browser stores nothing: export your presets, or they are lost when you close the page.";

export function mount({ element, props }) {
  const find = (query) => element.querySelector(query);
  const own = makePresets(() => window.localStorage);
  const [name, file, undoLine] = [find(".save-preset input"), find("input[type=file]"), find(".undo-line")];
  let before = null; // your presets before the newest change of them

  find(".field-presets").replaceChildren(...props.value.map(fieldRow));

  function fieldRow(preset) {
    const pressed = () => {
      const lanes = withPreset(formShown().lanes, preset, state.lanes.modelDefaults);
      take({ values: { ...preset.run, lanes }, notes: [preset.text] }, `Preset: ${preset.label}`);
    };
    const button = presetButton(preset.label, pressed);
    button.append(make("span", "text", preset.text));
    button.title = preset.source;
    return make("li", "", button);
  }

  function presetButton(label, pressed) {
    const button = Object.assign(make("button", "preset", make("b", "", label)), { type: "button" });
    button.addEventListener("click", pressed);
    return button;
  }

  // --- yours -------------------------------------------------------------------------------------

  function draw() {
    const all = own.all();
    find(".own-presets").replaceChildren(...all.map(ownRow));
    find(".heading").hidden = !all.length;
    find(".export").disabled = !all.length;
  }

  function ownRow(preset) {
    const row = make("li", "own");
    const button = presetButton(preset.name, async () => {
      const opened = await openForm(preset.values).catch(({ message }) => ({ problem: message }));
      if (opened.problem) return showReport({ title: preset.name, problem: opened.problem });
      take(opened, `Preset: ${preset.name}`);
    });
    const rename = iconButton("rename", `Rename ${preset.name}`, PENCIL);
    rename.addEventListener("click", () => edit(row, preset.name));
    const remove = iconButton("remove", `Delete ${preset.name}`, CROSS);
    remove.addEventListener("click", () => {
      change(() => own.remove(preset.name), () => `${preset.name} is deleted.`);
      find(".undo").focus(); // the keyboard does not lose its place
    });
    row.append(button, rename, remove);
    return row;
  }

  const nameShown = (text) =>
    [...find(".own-presets").querySelectorAll(".preset")].find((button) => button.textContent === text);

  function edit(row, from) {
    const box = Object.assign(make("input"), { type: "text", value: from, maxLength: 80 });
    box.setAttribute("aria-label", `New name of ${from}`);
    row.replaceChildren(box);
    box.select();
    let ended = ""; // under which name
    const end = (keep) => {
      if (ended) return;
      ended = from;
      const rename = () => {
        const result = own.rename(from, box.value);
        ended = result.name;
        return result;
      };
      if (keep && box.value.trim() !== from) change(rename, () => `${from} is renamed.`);
      draw();
    };
    box.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== "Escape") return;
      event.stopPropagation();
      event.preventDefault(); // or Enter also presses the preset, which has the focus next
      end(event.key === "Enter");
      nameShown(ended)?.focus();
    });
    box.addEventListener("blur", () => end(true));
  }

  // Change the list, and offer the way back.
  function change(act, done) {
    const list = own.all();
    find(".sentence").textContent = "";
    try {
      const result = act();
      before = list;
      find(".done").textContent = done(result);
      undoLine.hidden = false;
      if (!result.kept) find(".sentence").textContent = NOT_KEPT;
    } catch ({ message }) {
      find(".sentence").textContent = message;
    }
    draw();
  }

  find(".undo").addEventListener("click", () => {
    const gone = own.all().map((each) => each.name);
    const back = before.find((each) => !gone.includes(each.name));
    own.set(before);
    undoLine.hidden = true;
    draw();
    (nameShown(back?.name) ?? name).focus();
  });
  find(".save-preset").addEventListener("submit", (event) => {
    event.preventDefault();
    const given = name.value;
    const saved = ({ replaced }) => `${given.trim()} is ${replaced ? "replaced" : "saved"}.`;
    change(() => own.save(given, formShown()), saved);
    if (!find(".sentence").textContent || own.all().some((each) => each.name === given.trim())) name.value = "";
  });

  // --- their file --------------------------------------------------------------------------------

  find(".export").addEventListener("click", () => {
    const url = URL.createObjectURL(new Blob([own.text()], { type: "application/json" }));
    Object.assign(make("a"), { href: url, download: FILE }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  });
  find(".import").addEventListener("click", () => file.click());
  file.addEventListener("change", async () => {
    const [given] = file.files;
    file.value = ""; // the same file may be chosen again
    if (!given) return;
    if (given.size > LARGEST) find(".sentence").textContent = "This file is too large to hold presets.";
    else add(await given.text());
  });

  function add(text) {
    const count = (number) => `${number} ${number === 1 ? "preset" : "presets"}`;
    change(
      () => own.add(text),
      ({ added, replaced }) => `${count(added)} added${replaced ? `, ${replaced} of them in place of yours` : ""}.`,
    );
    return find(".sentence").textContent || find(".done").textContent;
  }

  // A file of presets that is dropped or pasted comes here too.
  onPresets(isPresets, (text) => showReport({ title: "Presets", notes: [add(text)] }));

  find(".reset").addEventListener("click", async () => {
    const opened = await defaultsOf(state.form?.model ?? "").catch(({ message }) => ({ problem: message }));
    if (opened.problem) return showReport({ title: "Not reset", problem: opened.problem });
    take({ ...opened, notes: [] }, "Defaults of this model");
  });

  draw();
}
