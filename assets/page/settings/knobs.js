// What the lanes' table knows of its knobs: where they apply, and what differs from the model's own.
// Draws nothing. `state` is the part's value, {lanes: [{field: value}], same}.

// The columns that a run will have: under "same" all are lane A's, but for their samplers.
export function columnsOf({ lanes, same }) {
  return lanes.map((lane) => (same ? { ...lanes[0], sampler: lane.sampler } : lane));
}

// The lanes that have a control of their own for a knob.
export function lanesOf(knob, { lanes, same }) {
  return same && knob.name !== "sampler" ? [0] : [...lanes.keys()];
}

export function applies({ when, auto }, column) {
  const held = (field) => (column[field] === "auto" && auto[field][column.sampler]) || column[field];
  return Object.entries(when).every(([field, values]) => values.includes(held(field)));
}

// Does a lane's own control act in a run? Under "same" one control acts for all.
export function acts(knob, lane, state) {
  const columns = columnsOf(state);
  const shared = state.same && knob.name !== "sampler";
  return shared ? columns.some((column) => applies(knob, column)) : applies(knob, columns[lane]);
}

// As people type them, numbers and lists are equal in many spellings.
export function differs({ name, kind }, column, own) {
  if (!(name in own)) return false;
  const [held, wanted] = [asText(column[name]), asText(own[name])];
  if (held === wanted) return false;
  if (kind === "list") return numbers(held) !== numbers(wanted);
  const isNumber = kind === "whole" || kind === "real";
  return !(isNumber && held.trim() !== "" && Number(held) === Number(wanted));
}

const numbers = (text) => text.split(/[\s,;[\](){}]+/).filter(Boolean).map(Number).join();

// What a box holds for a setting's value.
export function asText(value) {
  if (value === null || value === undefined) return "";
  return Array.isArray(value) ? value.join(", ") : String(value);
}

// One line on what a group changes: "Beta end 0.02, B: Beta start 0.001".
export function summary({ knobs }, state, own) {
  return knobs
    .flatMap((knob) => {
      const lanes = lanesOf(knob, state);
      const changed = lanes.filter((lane) => differs(knob, state.lanes[lane], own));
      const said = changed.map((lane) => `${knob.label} ${inWords(knob, state.lanes[lane])}`);
      if (changed.length === lanes.length && new Set(said).size === 1) return said.slice(0, 1);
      return said.map((words, at) => `${letter(changed[at])}: ${words}`);
    })
    .join(", ");
}

const LONGEST_VALUE = 16;

function inWords({ name, kind, choices }, column) {
  const chosen = choices.find(([, value]) => value === column[name]);
  if (chosen) return chosen[0];
  const text = asText(column[name]).trim();
  if (!text) return "empty";
  if (kind === "list") return "custom";
  return text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE)}…` : text;
}

// The column of a lane that is added: the last one's with the next sampler that no lane has yet, and
// the settings that this sampler cannot do as they are left alone. Under "same" those are all lanes',
// so it is the next sampler that can do them.
export function nextColumn(state, samplers, own) {
  const columns = columnsOf(state);
  const last = { ...columns.at(-1) };
  const free = Object.keys(samplers).filter((key) => columns.every(({ sampler }) => sampler !== key));
  const cannot = (key) =>
    Object.entries(samplers[key]).filter(([field, values]) => {
      const held = field === "sigmas" ? asText(last.sigmas).trim() !== "" : last[field];
      return !values.includes(held);
    });
  const next = state.same ? free.find((key) => !cannot(key).length) : free[0];
  if (!next) return last;
  for (const [field, values] of cannot(next)) {
    last[field] = field === "sigmas" ? "" : values.includes(own[field]) ? own[field] : values[0];
  }
  return { ...last, sampler: next };
}

export const letter = (lane) => String.fromCharCode(65 + lane);

// "Acts with Schedule type Karras or Exponential.": when a knob applies, in words.
export function condition({ when, auto }, knobs) {
  const labelled = (field, value) =>
    knobs.find(({ name }) => name === field)?.choices.find((choice) => choice[1] === value)?.[0] ?? value;
  const parts = Object.entries(when).map(([field, values]) => {
    const knob = knobs.find(({ name }) => name === field);
    const names = values.map((value) => labelled(field, value));
    const samplers = Object.keys(auto[field]).filter((key) => values.includes(auto[field][key]));
    if (samplers.length) names.push(`auto of ${list(samplers.map((key) => labelled("sampler", key)))}`);
    return `${knob?.label ?? field} ${list(names)}`;
  });
  return parts.length ? `Acts with ${parts.join(" and ")}.` : "";
}

const list = (names) => [names.slice(0, -1).join(", "), names.at(-1)].filter(Boolean).join(" or ");
