// Where the lanes of a run stand beside each other, and how far each of them is.

// The lane that the scrubber moves: the first of those with the most calls.
export function longest(lanes) {
  return lanes.reduce((best, { calls }, lane) => (calls.length > lanes[best].calls.length ? lane : best), 0);
}

// The last call that is not past another lane's step: steps stand beside steps of the same number,
// midpoints beside midpoints where there are any, and a lane with fewer steps waits at its last.
export function atStep(calls, there) {
  if (!calls.length) return -1; // its turn did not come
  const place = ({ step, second_call }) => step + (second_call ? 0.5 : 0);
  return Math.max(0, calls.findLastIndex((call) => place(call) <= place(there)));
}

export function atSigma(calls, { sigma }) {
  if (!calls.length) return -1;
  const distance = (call) => Math.abs(Math.log(call.sigma / sigma));
  return calls.reduce((best, call, at) => (distance(call) < distance(calls[best]) ? at : best), 0);
}

// The calls that each lane has made, by news of one lane, which is news of all of its group: groups
// take turns, in their order. News without a lane is of all.
export function made(plan, { lane, call }) {
  const now = plan[lane ?? 0].group;
  return plan.map(({ group, calls }) => (group === now ? call : group < now ? calls.length : 0));
}
