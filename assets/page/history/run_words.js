// A run of the history in words. Does not touch the DOM.

const KINDS = { damaged: "Damaged run", foreign: "No run of this program", unfinished: "Unfinished run", newer: "Run of a newer version" };
const UNITS = ["KiB", "MiB", "GiB"];

// "6.8 MiB", "4 GiB": in the units of the rest of the page, and of an operator's limits.
export function sizeOf(bytes) {
  const power = Math.max(0, UNITS.findLastIndex((_, at) => bytes >= 1024 ** (at + 1)));
  const value = bytes / 1024 ** (power + 1);
  return `${value < 10 && !Number.isInteger(value) ? value.toFixed(1) : Math.round(value)} ${UNITS[power]}`;
}

// One line, for screen readers.
export function describe(run) {
  const what = run.problem ? KINDS[run.kind] ?? "Run" : run.name || run.prompt || "Run without a prompt";
  const state = { cancelled: "stopped", error: "broke off" }[run.state];
  return [run.starred && "starred", what.slice(0, 120), run.labels.join(" and "), state, timeOf(run)].filter(Boolean).join(", ");
}

// Several lines, for a pointer.
export function titleOf(run) {
  if (run.problem) return run.problem;
  if (run.isExample) return `${run.name}\n${run.claim}`;
  const state = { cancelled: ", stopped", error: ", broke off" }[run.state] ?? "";
  return [run.name, run.prompt, `${run.labels.join(" · ")}, seed ${run.seed}${state}`, `${timeOf(run)}, ${sizeOf(run.bytes)}`]
    .filter(Boolean)
    .join("\n");
}

function timeOf({ created }) {
  const time = new Date(created);
  return Number.isNaN(time.getTime()) ? "" : time.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}
