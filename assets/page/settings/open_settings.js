// Settings out of a picture, a text or a file: chosen here, or dropped or pasted anywhere on the page.

import { giveFiles, takeFiles, takeTexts, watchDrops } from "../shared/drop.js";
import { fillForm } from "./form.js";
import { upload } from "./kept_picture.js";
import { openPicture, openText } from "./opening.js";
import { closeReport, showReport } from "./report.js";
import { take } from "./taking.js";

const PICTURE = /\.(png|jpe?g|webp|avif)$/i;
const TEXT = /\.(json|txt)$/i;

let presets = null; // {isOne(text), take(text)} of presets.js

export function onPresets(isOne, taking) {
  presets = { isOne, take: taking };
}

export function mount({ element, props }) {
  const [choose, paste, input] = [".choose", ".paste", "input"].map((query) => element.querySelector(query));
  const { largest, longest } = props.value;

  takeFiles({ takes: ({ name, type }) => type.startsWith("image/") || PICTURE.test(name), take: picture });
  takeFiles({ takes: ({ name, type }) => type.startsWith("text/") || type === "application/json" || TEXT.test(name), take: file });
  takeTexts((content) => text(content), (sentence) => refuse("Not opened", sentence));
  watchDrops();

  choose.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    const files = [...input.files];
    input.value = ""; // the same file may be chosen again
    giveFiles(files);
  });
  paste.hidden = !navigator.clipboard?.readText;
  paste.addEventListener("click", async () => {
    const content = await navigator.clipboard.readText().catch(() => "");
    if (content.trim()) text(content);
    else refuse("Nothing to paste", "The clipboard has no text, or the browser does not let this page read it.");
  });

  async function picture(given, others = []) {
    if (given.size > largest) return refuse(given.name, `This file is too large: at most ${largest / 2 ** 20} MB are read.`);
    const start = { label: "Use it as the start picture", act: () => useAsStart(given) };
    await brought(openPicture(given), given.name || "The picture", others, [start]);
  }

  async function file(given, others = []) {
    if (given.size > 4 * longest) return refuse(given.name, "This file is too large to hold settings.");
    text(await given.text(), given.name, others);
  }

  async function text(content, name = "The text", others = []) {
    if (content.length > longest) return refuse(name, `A text with settings may have at most ${longest.toLocaleString("en")} characters.`);
    if (presets?.isOne(content)) return presets.take(content);
    await brought(openText(content), name, others);
  }

  // What is being opened, into the form; or the server's sentence, with what else may be done.
  async function brought(opening, name, others, buttons = []) {
    const notes = others.map((other) => `One file at a time: ${other.name} was left out.`);
    const opened = await opening.catch(({ message }) => ({ problem: message }));
    if (opened.problem) return showReport({ title: name, problem: opened.problem, notes, buttons });
    take({ ...opened, notes: [...opened.notes, ...notes] }, `Settings from ${opened.source}`);
  }

  async function useAsStart(given) {
    try {
      fillForm({ init_image: await upload(given) });
      closeReport();
      document.querySelector("#start_group:not(:has([data-open])) .fold-head[aria-expanded=false]")?.click();
    } catch ({ message }) {
      refuse(given.name, message);
    }
  }
}

const refuse = (title, problem) => showReport({ title: title || "Not opened", problem });
