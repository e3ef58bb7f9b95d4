// Names of lanes and calls.

// A lane, counted from 0, in ids, classes and colours; how many there may be is the server's to say.
export const laneKey = (lane) => String.fromCharCode("a".charCodeAt(0) + lane);
export const laneKeys = (count) => Array.from({ length: count }, (_, lane) => laneKey(lane));

export const letter = (lane) => laneKey(lane).toUpperCase();

// "7" or "7½": the step, counted from 1, that a call belongs to.
export const stepName = ({ step, second_call }) => `${step + 1}${second_call ? "½" : ""}`;
