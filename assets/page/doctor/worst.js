// What the doctor says, in one line beside the tabs: the worst finding, or what is wrong with the form,
// else what the run costs. And how many findings there are, at the name of the doctor's tab.

import { summaryOf } from "../settings/problems.js";
import { laneLetter, make } from "../shared/dom.js";
import { follow } from "../shared/store.js";
import { tip } from "../shared/tip.js";

const WORST_FIRST = ["error", "warning"];

// `element` has the line, `.worst`, the number, `.count`, and a status for screen readers.
export function showWorst(element, open) {
  const [line, count, spoken] = [".worst", ".count", "[role=status]"].map((query) => element.querySelector(query));
  let [shown, said] = ["", ""];

  line.addEventListener("click", open);
  tip(line, () => said); // whole, where the line has no room for it

  function show({ answer: { findings, problems } }) {
    const json = JSON.stringify([findings, problems]);
    if (json === shown) return;
    shown = json;
    line.hidden = false;
    const invalid = !findings;
    line.toggleAttribute("data-stale", invalid && !problems.length);
    if (findings) {
      const severities = findings.filter(({ code }) => code !== "cost").map(({ severity }) => severity);
      count.textContent = severities.length || "";
      count.dataset.severity = WORST_FIRST.find((each) => severities.includes(each)) ?? "note";
    }
    const worst = worstOf(findings ?? []);
    if (worst?.severity !== "error" && problems.length) say("error", [], summaryOf(problems));
    else if (worst) say(worst.severity, worst.lanes, worst.sentence);
    else if (findings) say("", [], findings.filter(({ code }) => code === "cost").map(({ sentence }) => sentence).join(" "));
  }

  function say(severity, lanes, sentence) {
    line.dataset.severity = severity;
    line.replaceChildren(make("span", "", ...lanes.flatMap((lane) => [laneLetter(lane), " "]), sentence));
    said = sentence;
    spoken.textContent = severity ? `${severity}: ${sentence}` : "";
  }

  follow("answer", show);
}

function worstOf(findings) {
  for (const severity of WORST_FIRST) {
    const worst = findings.find((each) => each.severity === severity);
    if (worst) return worst;
  }
  return null;
}
