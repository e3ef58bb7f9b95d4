// What differs between two forms, in the words of their controls. Does not touch the DOM.

import { letter } from "../shared/names.js";
import { changed } from "./undo.js";

const MOST = 24; // settings in the sentence
const LONGEST = 32; // characters of a value

// "Changed: Steps 25, A: Eta 0.5."; "" for none. `fields` are those of the run by name, {label, choices},
// `laneFields` those of a lane.
export function changesText(before, after, fields, laneFields) {
  const texts = [
    ...Object.keys(fields)
      .filter((name) => name in after && changed(before[name], after[name]).length)
      .map((name) => named(fields[name], after[name])),
    ...laneChanges(before.lanes, after.lanes, laneFields),
  ];
  if (!texts.length) return "";
  const more = texts.length - MOST;
  return `Changed: ${texts.slice(0, MOST).join(", ")}${more > 0 ? ` and ${more} more` : ""}.`;
}

function laneChanges(before, after, laneFields) {
  if (!after || !before) return [];
  const [old, lanes] = [before.lanes, after.lanes];
  const count = lanes.length === old.length ? [] : [`${lanes.length} ${lanes.length === 1 ? "lane" : "lanes"}`];
  // Of a lane that is new, what sets it off from the first one.
  const from = (lane) => old[lane] ?? { ...lanes[0], sampler: null };
  const each = Object.entries(laneFields).flatMap(([name, field]) => {
    const at = [...lanes.keys()].filter((lane) => changed(from(lane)[name], lanes[lane][name]).length);
    const texts = at.map((lane) => named(field, lanes[lane][name]));
    if (at.length === lanes.length && new Set(texts).size === 1) return texts.slice(0, 1);
    return texts.map((text, index) => `${letter(at[index])}: ${text}`);
  });
  return [...count, ...each];
}

function named({ label, choices = [] }, value) {
  const chosen = choices.find(([, key]) => key === value);
  return `${label} ${chosen ? chosen[0] : short(value)}`;
}

function short(value) {
  if (value === null || value === undefined || value === "") return "none";
  if (typeof value === "object") return "another one";
  const text = String(value);
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}
