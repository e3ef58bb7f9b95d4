// What is dropped on the page, pasted outside its text boxes (a text with
// settings also into a prompt's), or chosen in a file dialog: each kind of file
// goes to whoever takes it. A file over a control that takes files itself stays with that control.

const ITS_OWN = "#init_image, input[type=file]";
const TEXT_BOX = "input, textarea, select, [contenteditable=true], [contenteditable='']";
const PROMPTS = "#prompt, #negative_prompt";
const PARAMETERS = /^Steps: \d+, (.+, )?Sampler: /m; // what A1111 writes with a picture: no prompt reads so
const HINT = "Drop a picture, a text or a file with settings";

const takers = []; // {takes(file), take(file)}; the first that takes a file gets it
let takeText = () => {};
let refuse = () => {};

// Register a kind of file: `takes(file)` says whether it is one, `take(file)` does what is to be done.
export function takeFiles(taker) {
  takers.push(taker);
}

// Who takes texts, and files that nobody takes: `refuse(sentence)`.
export function takeTexts(text, nobody) {
  takeText = text;
  refuse = nobody;
}

// A text with settings of any program.
export const giveText = (text) => takeText(text);

// Several files: the first that is of a known kind, and a sentence on the others.
export function giveFiles(files) {
  const [file] = files;
  if (!file) return;
  const found = [...files].find((each) => takers.some(({ takes }) => takes(each)));
  if (!found) return refuse(`${file.name || "This file"} is of no kind that can be opened here.`);
  takers.find(({ takes }) => takes(found)).take(found, [...files].filter((each) => each !== found));
}

export function watchDrops() {
  let inside = false; // does what is dragged come from this page?
  const show = (is) => (is ? document.body.setAttribute("data-dropping", HINT) : document.body.removeAttribute("data-dropping"));
  const ours = ({ dataTransfer, target }) => {
    if (inside || !dataTransfer) return false;
    const types = [...dataTransfer.types];
    if (types.includes("Files")) return !target.closest?.(ITS_OWN);
    return types.includes("text/plain") && !target.closest?.(TEXT_BOX);
  };

  document.addEventListener("dragstart", () => (inside = true));
  document.addEventListener("dragend", () => (inside = false));
  document.addEventListener("dragover", (event) => {
    show(ours(event));
    if (!ours(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
  });
  document.addEventListener("dragleave", ({ relatedTarget }) => relatedTarget || show(false));
  document.addEventListener("drop", (event) => {
    show(false);
    if (!ours(event)) return;
    event.preventDefault(); // or the browser leaves the page for the file
    give(event.dataTransfer);
  });
  document.addEventListener("paste", (event) => {
    if (event.defaultPrevented || (event.target.closest?.(TEXT_BOX) && !isParameters(event))) return;
    event.preventDefault();
    give(event.clipboardData);
  });
}

// Who knows A1111 pastes a picture's whole text into the prompt, and means its settings.
function isParameters({ target, clipboardData }) {
  return Boolean(target.closest(PROMPTS)) && PARAMETERS.test(clipboardData.getData("text/plain"));
}

function give(data) {
  if (data.files.length) return giveFiles([...data.files]);
  const text = data.getData("text/plain");
  if (text.trim()) takeText(text);
}
