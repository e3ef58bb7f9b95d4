// The page's pinned schedules: settings that outlive a change of the form, kept for this tab.

import { set, state } from "../shared/store.js";

const STORED = "sampler-explorer-pins";
const DASHES = ["6 3", "2 2", "9 3 2 3", "14 4"]; // of their lines, in turn

set({ pins: stored() });

// Each is { id, label, steps, lane, dash, hidden }; `lane` has the settings as the server names them.
export const pinned = () => state.pins;

export const dashesOf = ({ dash }) => DASHES[dash % DASHES.length];

export function pin(schedules) {
  const same = ({ steps, lane }) => JSON.stringify([steps, lane]);
  const fresh = schedules.filter((one) => !state.pins.some((pin) => same(pin) === same(one)));
  const shown = state.pins.map((pin) =>
    schedules.some((one) => same(one) === same(pin)) ? { ...pin, hidden: false } : pin,
  );
  let next = 1 + Math.max(-1, ...state.pins.map(({ dash }) => dash));
  change(fresh.reduce((all, one) => [...all, { ...one, ...named(one, all), dash: next++, hidden: false }], shown));
}

export const unpin = (id) => change(state.pins.filter((pin) => pin.id !== id));
export const unpinAll = () => change([]);
export const toggle = (id) =>
  change(state.pins.map((pin) => (pin.id === id ? { ...pin, hidden: !pin.hidden } : pin)));

// Restore an earlier list of pins.
export function restorePins(list) {
  if (JSON.stringify(list) !== JSON.stringify(state.pins)) change(list);
}

function change(pins) {
  try {
    sessionStorage.setItem(STORED, JSON.stringify(pins));
  } catch {
    // full or forbidden: they live as long as the page
  }
  set({ pins });
}

// Two schedules may have the same name, for example if only their betas differ.
function named({ label }, others) {
  const taken = (name) => others.some((pin) => pin.label === name);
  let [name, number] = [label, 1];
  while (taken(name)) name = `${label} (${(number += 1)})`;
  return { label: name, id: `${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}` };
}

// The storage may contain anything: entries that are no pins are skipped, the server checks the rest.
function stored() {
  try {
    const list = JSON.parse(sessionStorage.getItem(STORED) ?? "[]");
    return list
      .filter((pin) => pin && typeof pin === "object" && typeof pin.id === "string")
      .map((pin, at) => ({ ...pin, label: String(pin.label), dash: Number.isInteger(pin.dash) ? Math.abs(pin.dash) : at }));
  } catch {
    return [];
  }
}
