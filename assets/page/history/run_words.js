// A run of the history in words. Does not touch the DOM.

const KINDS = { damaged: "Damaged run", foreign: "No run of this program", unfinished: "Unfinished run", newer: "Run of a newer version" };
const UNITS = ["bytes", "kB", "MB", "GB"];

// "6.8 MB"; whole binary sizes as an operator writes them: "4 GiB".
export function sizeOf(bytes) {
  if (bytes >= 2 ** 30 && bytes % 2 ** 30 === 0) return `${bytes / 2 ** 30} GiB`;
  if (bytes >= 2 ** 20 && bytes % 2 ** 20 === 0) return `${bytes / 2 ** 20} MiB`;
  const power = bytes < 1000 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** power;
  return `${value < 10 && power ? value.toFixed(1) : Math.round(value)} ${UNITS[power]}`;
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
  const state = { cancelled: ", stopped", error: ", broke off" }[run.state] ?? "";
  return [run.name, run.prompt, `${run.labels.join(" · ")}, seed ${run.seed}${state}`, `${timeOf(run)}, ${sizeOf(run.bytes)}`]
    .filter(Boolean)
    .join("\n");
}

function timeOf({ created }) {
  const time = new Date(created);
  return Number.isNaN(time.getTime()) ? "" : time.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}
