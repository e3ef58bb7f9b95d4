// Under the plot: what the doctor found of the form's schedules, and buttons that mend it.

import { LANES, emit, on } from "../shared/store.js";

const FEW = 2; // so many notes are shown unasked, where nothing graver is

export function mount({ element, props }) {
  const find = (name) => element.querySelector(name);
  const [grave, light, fold] = [find(".grave"), find(".light"), find(".fold-head")];
  let open = null; // as the user left it; null while nobody has touched it
  let shown = "";

  // Without findings the form cannot be read: the last ones stay, pale.
  function show(findings) {
    element.toggleAttribute("data-stale", !findings);
    const said = findings && JSON.stringify(findings);
    find(".cost").hidden = !findings; // nothing is known of what the form would cost
    if (!said || said === shown) return; // nothing new for a screen reader either
    shown = said;
    const cost = findings.filter(({ code }) => code === "cost");
    const notes = findings.filter((each) => each.severity === "note" && !cost.includes(each));
    const others = findings.filter(({ severity }) => severity !== "note");
    grave.replaceChildren(...others.map(line));
    light.replaceChildren(...notes.map(line));
    find(".cost").textContent = cost.map(({ sentence }) => sentence).join(" ");
    find(".title").textContent = `${notes.length} ${notes.length === 1 ? "note" : "notes"}`;
    fold.hidden = !notes.length;
    toggle(open ?? (!others.length && notes.length <= FEW));
  }

  function toggle(is) {
    element.toggleAttribute("data-open", is);
    fold.setAttribute("aria-expanded", is);
  }

  fold.addEventListener("click", () => {
    open = !element.hasAttribute("data-open");
    toggle(open);
  });
  on("settings", ({ findings }) => show(findings));
  show(props.value);
}

function line(finding) {
  const { severity, code, sentence, lanes, fix, fix_label } = finding;
  const item = make("li", severity);
  Object.assign(item.dataset, { code, lanes: lanes.map((lane) => LANES[lane]).join(" ") });
  const marker = make("i", "marker");
  marker.title = severity;
  item.append(marker, make("span", "sr-only", `${severity}: `));
  const letters = make("span", "letters");
  for (const lane of lanes) {
    letters.append(make("b", `lane-${LANES[lane]}`, LANES[lane].toUpperCase()));
  }
  const words = make("span", "words", sentence);
  item.append(letters, words);
  if (fix) {
    const button = make("button", "mend", fix_label);
    button.type = "button";
    button.addEventListener("click", () => mend(finding));
    words.append(" ", button);
  }
  return item;
}

function mend({ lanes, all_lanes, fix }) {
  for (const lane of all_lanes ? [null] : lanes) emit("apply", { lane, values: fix });
}

function make(tag, className, textContent = "") {
  return Object.assign(document.createElement(tag), { className, textContent });
}
