// Where a model call stands on the plot's axes. Does not touch the DOM.

import { alphaBar, logSnr } from "../table/rows.js";

export const ALONG = {
  step: ({ step, second_call }) => step + (second_call ? 1.5 : 1),
  timestep: ({ timestep }) => timestep,
  log_sigma: ({ sigma }) => sigma,
};

// A call's height on each y axis that depends on sigma only.
export const HEIGHT = {
  sigma: ({ sigma }) => sigma,
  log_snr: ({ sigma }) => logSnr(sigma),
  alpha_bar: ({ sigma }) => alphaBar(sigma),
};
