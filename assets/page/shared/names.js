// What lanes and calls are called.

export const LANES = [..."abcdef"];

export const letter = (lane) => LANES[lane].toUpperCase();

// "7" or "7½": the step, counted from 1, that a call belongs to.
export const stepName = ({ step, half }) => `${step + 1}${half ? "½" : ""}`;
