// The fields of the lanes' table: where they apply, and what differs from the model's defaults.
// Does not touch the DOM. `state` is the component's value, {lanes: [{field: value}], same}.

import { letter } from "../shared/names.js";

// The columns of a run: under "same" all are lane A's, except for their samplers.
export function columnsOf({ lanes, same }) {
  return lanes.map((lane) => (same ? { ...lanes[0], sampler: lane.sampler } : lane));
}

// The lanes that have a control of their own for a field.
export function lanesOf(field, { lanes, same }) {
  return same && field.name !== "sampler" ? [0] : [...lanes.keys()];
}

export function applies({ when, auto }, column) {
  const value = (name) => (column[name] === "auto" && auto[name][column.sampler]) || column[name];
  return Object.entries(when).every(([name, values]) => values.includes(value(name)));
}

// Does a lane's own control act in a run? Under "same" one control acts for all.
export function acts(field, lane, state) {
  const columns = columnsOf(state);
  const shared = state.same && field.name !== "sampler";
  return shared ? columns.some((column) => applies(field, column)) : applies(field, columns[lane]);
}

// The sampler that has no such value of a field, "" where each that a lane's control is for has it. Under "same" one
// control is for all. `samplers` are the values that each supports, by field.
export function refusing({ name }, value, lane, state, samplers) {
  const columns = columnsOf(state);
  const asked = state.same && name !== "sampler" ? columns : [columns[lane]];
  return asked.map(({ sampler }) => sampler).find((key) => samplers[key]?.[name]?.includes(value) === false) ?? "";
}

// Equal numbers and lists can be typed in many ways.
export function differs({ name, kind }, column, defaults) {
  if (!(name in defaults)) return false;
  const [value, wanted] = [asText(column[name]), asText(defaults[name])];
  if (value === wanted) return false;
  if (kind === "list") return numbers(value) !== numbers(wanted);
  const isNumber = kind === "whole" || kind === "real";
  return !(isNumber && value.trim() !== "" && Number(value) === Number(wanted));
}

const numbers = (text) => text.split(/[\s,;[\](){}]+/).filter(Boolean).map(Number).join();

// What a box holds for a setting's value.
export function asText(value) {
  if (value === null || value === undefined) return "";
  return Array.isArray(value) ? value.join(", ") : String(value);
}

// One line on what a group changes: "Beta end 0.02, B: Beta start 0.001".
export function summary({ fields }, state, defaults) {
  return fields
    .flatMap((field) => {
      const lanes = lanesOf(field, state);
      const changed = lanes.filter((lane) => differs(field, state.lanes[lane], defaults));
      const texts = changed.map((lane) => changeText(field, state.lanes[lane]));
      if (changed.length === lanes.length && new Set(texts).size === 1) return texts.slice(0, 1);
      return texts.map((text, at) => `${letter(changed[at])}: ${text}`);
    })
    .join(", ");
}

// A lane in a few words: its sampler, and what it changes of the model's defaults; under "same" only the
// sampler, as the rest is shared.
export function lineOf(lane, state, groups, defaults) {
  const fields = groups.flatMap((group) => group.fields);
  const column = state.lanes[lane];
  const sampler = valueText(fields.find(({ name }) => name === "sampler"), column);
  const own = fields.filter((field) => field.name !== "sampler" && lanesOf(field, state).includes(lane));
  const shared = state.same && state.lanes.length > 1;
  const changed = shared ? [] : own.filter((field) => acts(field, lane, state) && differs(field, column, defaults));
  return { sampler, differs: changed.map((field) => changeText(field, column)).join(", ") };
}

// "Eta 0.5"; of a list only "Custom sigmas" or "Trained betas custom".
function changeText(field, column) {
  const text = valueText(field, column);
  return text === CUSTOM && field.label.toLowerCase().startsWith(CUSTOM) ? field.label : `${field.label} ${text}`;
}

const CUSTOM = "custom";
const LONGEST_VALUE = 16;

function valueText({ name, kind, choices }, column) {
  const chosen = choices.find(([, value]) => value === column[name]);
  if (chosen) return chosen[0];
  const text = asText(column[name]).trim();
  if (!text) return "empty";
  if (kind === "list") return CUSTOM;
  return text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE)}…` : text;
}

// The column of an added lane: the last one's with the next unused sampler, and with defaults for
// settings that this sampler does not support. Under "same" all lanes share the settings, so it is the
// next sampler that supports them.
export function nextColumn(state, samplers, defaults) {
  const columns = columnsOf(state);
  const last = { ...columns.at(-1) };
  const free = Object.keys(samplers).filter((key) => columns.every(({ sampler }) => sampler !== key));
  const cannot = (key) =>
    Object.entries(samplers[key]).filter(([field, values]) => {
      const value = field === "sigmas" ? asText(last.sigmas).trim() !== "" : last[field];
      return !values.includes(value);
    });
  const next = state.same ? free.find((key) => !cannot(key).length) : free[0];
  if (!next) return last;
  for (const [field, values] of cannot(next)) {
    last[field] = field === "sigmas" ? "" : values.includes(defaults[field]) ? defaults[field] : values[0];
  }
  return { ...last, sampler: next };
}

// "Only with Schedule type Karras or Exponential.": when a field applies, in words.
export function condition({ when, auto }, fields) {
  const named = (name) => fields.find((field) => field.name === name);
  const labelled = (name, value) =>
    named(name)?.choices.find((choice) => choice[1] === value)?.[0] ?? value;
  const parts = Object.entries(when).map(([name, values]) => {
    const names = values.map((value) => labelled(name, value));
    const samplers = Object.keys(auto[name]).filter((key) => values.includes(auto[name][key]));
    if (samplers.length) names.push(`auto of ${list(samplers.map((key) => labelled("sampler", key)))}`);
    return `${named(name)?.label ?? name} ${list(names)}`;
  });
  return parts.length ? `Only with ${parts.join(" and ")}.` : "";
}

const list = (names) => [names.slice(0, -1).join(", "), names.at(-1)].filter(Boolean).join(" or ");
