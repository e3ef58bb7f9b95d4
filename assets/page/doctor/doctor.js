// Under the plot: the doctor's findings about the form's schedules, with buttons for their fixes.

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
  let open = null; // the user's choice; null before there is one
  let shown = "";

  // An answer without findings is of an invalid form: the last findings stay, faded.
  function show(findings) {
    element.toggleAttribute("data-stale", !findings);
    const json = findings && JSON.stringify(findings);
    find(".cost").hidden = !findings; // the cost of the form is unknown
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
