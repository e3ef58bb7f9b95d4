// The tab Doctor: the doctor's findings about the form's schedules, with buttons for their fixes.

import { applySettings } from "../settings/form.js";
import { laneLetter, make } from "../shared/dom.js";
import { laneKey } from "../shared/names.js";
import { follow } from "../shared/store.js";

export function mount({ element }) {
  const find = (name) => element.querySelector(name);
  let shown = "";

  // An answer without findings is of an invalid form: the last findings stay, faded.
  function show(findings) {
    element.toggleAttribute("data-stale", !findings);
    const json = findings && JSON.stringify(findings);
    find(".cost").hidden = !findings; // the cost of the form is unknown
    if (!json || json === shown) return; // the buttons keep the focus
    shown = json;
    const cost = findings.filter(({ code }) => code === "cost");
    const notes = findings.filter((each) => each.severity === "note" && !cost.includes(each));
    const others = findings.filter(({ severity }) => severity !== "note");
    find(".problems").replaceChildren(...others.map(line));
    find(".notes").replaceChildren(...notes.map(line));
    find(".cost").textContent = cost.map(({ sentence }) => sentence).join(" ");
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
