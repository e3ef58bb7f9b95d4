// What lanes and calls are called.

export const LANES = [..."abcdef"];

export const letter = (lane) => LANES[lane].toUpperCase();

// "7" or "7½": the step, counted from 1, that a call belongs to.
export const stepName = ({ step, second_call }) => `${step + 1}${second_call ? "½" : ""}`;
