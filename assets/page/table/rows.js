// The model calls of some lanes as rows, from the server's columns or from what a run recorded. Does not
// touch the DOM.

// What a call's levels are on the plot's axes and in the table. The server computes the same.
export const logSnr = (sigma) => -2 * Math.log(sigma);
export const alphaBar = (sigma) => 1 / (1 + sigma ** 2);

export const COLUMNS = ["sigma", "sigma_next", "sigma_mid", "sigma_down", "sigma_up", "timestep", "alpha_bar", "log_snr"];

const OF_STEPS = ["sigma_next", "sigma_mid", "sigma_down", "sigma_up"];
const OTHER_RUN = "This run has other settings than the form, so only its recorded calls are shown.";
const NOT_TOLD = "The run's record does not have it: this sampler does not report what happens inside its steps.";

// {label, rows, end, missing} of each lane of `LaneTable`s (views/calls_table.py).
export function lanesOf(tables) {
  return tables.map((table) => ({
    label: table.label,
    rows: table.step.map((step, at) => ({
      step,
      second_call: table.second_call[at],
      ...Object.fromEntries(COLUMNS.map((name) => [name, table[name][at]])),
    })),
    end: table.sigma_end,
    missing: table.missing,
  }));
}

// The same of a run that is not the form's: of its plan's lanes, and what was recorded of their steps, which a
// run that goes on has not.
export function lanesOfCalls(plan, recorded = []) {
  return plan.map(({ label, calls }, lane) => {
    const levels = recorded[lane]?.levels;
    const next = (step) => calls.find((call) => call.step === step + 1)?.sigma ?? null;
    const last = calls.findLastIndex(({ second_call }) => !second_call);
    const lacking = levels ? OF_STEPS.filter((name) => !levels[name]) : OF_STEPS;
    return {
      label,
      rows: calls.map(({ step, second_call, sigma, timestep }, at) => ({
        step,
        second_call,
        sigma,
        ...Object.fromEntries(OF_STEPS.map((name) => [name, levels?.[name]?.[at] ?? null])),
        ...(second_call || levels?.sigma_next?.[at] != null ? {} : { sigma_next: next(step) }),
        timestep,
        alpha_bar: alphaBar(sigma),
        log_snr: logSnr(sigma),
      })),
      end: levels?.sigma_next?.[last] ?? null,
      missing: Object.fromEntries(lacking.filter((name) => name !== "sigma_next").map((name) => [name, levels ? NOT_TOLD : OTHER_RUN])),
    };
  });
}

// Rows of several lanes side by side: {step, second_call, calls}, where `calls` has by lane the number of
// the call that stands there, or -1.
export function sideBySide(lanes) {
  const places = new Map();
  lanes.forEach(({ rows }, lane) =>
    rows.forEach(({ step, second_call }, call) => {
      const place = step + (second_call ? 0.5 : 0);
      if (!places.has(place)) places.set(place, { step, second_call, calls: lanes.map(() => -1) });
      places.get(place).calls[lane] = call;
    }),
  );
  return [...places.entries()].sort(([one], [other]) => one - other).map(([, row]) => row);
}
