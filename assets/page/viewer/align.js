// Aligns the lanes of a run by step or sigma, and counts the calls that each has made.

// The lane that the scrubber moves: the first of those with the most calls.
export function longest(lanes) {
  return lanes.reduce((best, { calls }, lane) => (calls.length > lanes[best].calls.length ? lane : best), 0);
}

// The last call that is not past another lane's step: steps stand beside steps of the same number,
// midpoints beside midpoints where there are any, and a lane with fewer steps waits at its last.
export function atStep(calls, there) {
  if (!calls.length) return -1; // it was not reached
  const place = ({ step, second_call }) => step + (second_call ? 0.5 : 0);
  return Math.max(0, calls.findLastIndex((call) => place(call) <= place(there)));
}

export function atSigma(calls, { sigma }) {
  if (!calls.length) return -1;
  const distance = (call) => Math.abs(Math.log(call.sigma / sigma));
  return calls.reduce((best, call, at) => (distance(call) < distance(calls[best]) ? at : best), 0);
}

// The number of calls that each lane has made, from an event about one lane, which applies to its whole
// group: groups run one after another. An event without a lane applies to all.
export function callsMade(plan, { lane, call }) {
  const now = plan[lane ?? 0].group;
  return plan.map(({ group, calls }) => (group === now ? call : group < now ? calls.length : 0));
}
