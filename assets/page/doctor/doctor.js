// Under the plot: what the doctor found of the form's schedules, and buttons that fix it.

import { applySettings } from "../settings/form.js";
import { laneLetter, make } from "../shared/dom.js";
import { makeFold } from "../shared/folding.js";
import { laneKey } from "../shared/names.js";
import { follow } from "../shared/store.js";

const FEW_NOTES = 2; // this many notes are unfolded where there is no error or warning

export function mount({ element }) {
  const find = (name) => element.querySelector(name);
  const [problemList, noteList, head] = [find(".problems"), find(".notes"), find(".fold-head")];
  const fold = makeFold(element, head, (is) => fold.open((open = is)));
  let open = null; // as the user left it; null while nobody has touched it
  let shown = "";

  // Without findings the form cannot be read: the last ones stay, pale.
  function show(findings) {
    element.toggleAttribute("data-stale", !findings);
    const json = findings && JSON.stringify(findings);
    find(".cost").hidden = !findings; // nothing is known of what the form would cost
    if (!json || json === shown) return; // nothing new for a screen reader either
    shown = json;
    const cost = findings.filter(({ code }) => code === "cost");
    const notes = findings.filter((each) => each.severity === "note" && !cost.includes(each));
    const others = findings.filter(({ severity }) => severity !== "note");
    problemList.replaceChildren(...others.map(line));
    noteList.replaceChildren(...notes.map(line));
    find(".cost").textContent = cost.map(({ sentence }) => sentence).join(" ");
    find(".title").textContent = `${notes.length} ${notes.length === 1 ? "note" : "notes"}`;
    head.hidden = !notes.length;
    fold.open(open ?? (!others.length && notes.length <= FEW_NOTES));
  }

  follow("answer", ({ answer }) => show(answer.findings));
}

function line(finding) {
  const { severity, code, sentence, lanes, fix, fix_label } = finding;
  const item = make("li", severity);
  Object.assign(item.dataset, { code, lanes: lanes.map((lane) => laneKey(lane)).join(" ") });
  const marker = make("i", "marker");
  marker.title = severity;
  item.append(marker, make("span", "sr-only", `${severity}: `));
  const letters = make("span", "letters", ...lanes.map(laneLetter));
  const message = make("span", "message", sentence);
  item.append(letters, message);
  if (fix) {
    const button = make("button", "fix quiet-button", fix_label);
    button.type = "button";
    button.addEventListener("click", () => applyFix(finding));
    message.append(" ", button);
  }
  return item;
}

function applyFix({ lanes, all_lanes, fix }) {
  for (const lane of all_lanes ? [null] : lanes) applySettings(lane, fix);
}
