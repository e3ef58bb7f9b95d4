// Where the lanes of a run stand beside each other, and how far each of them is.

// The lane that the scrubber moves: the first of those with the most calls.
export function longest(lanes) {
  return lanes.reduce((best, { calls }, lane) => (calls.length > lanes[best].calls.length ? lane : best), 0);
}

// The last call that is not past another lane's step: steps stand beside steps of the same number,
// half steps beside half steps where there are any, and a lane with fewer steps waits at its last.
export function atStep(calls, there) {
  const place = ({ step, half }) => step + (half ? 0.5 : 0);
  return Math.max(0, calls.findLastIndex((call) => place(call) <= place(there)));
}

export function atSigma(calls, { sigma }) {
  const distance = (call) => Math.abs(Math.log(call.sigma / sigma));
  return calls.reduce((best, call, at) => (distance(call) < distance(calls[best]) ? at : best), 0);
}

// The calls that each lane has made. Lanes with equally many run together, and each such group after
// the one before it, in the order of their first lanes; news of one lane is news of its group.
export function made(plan, { lane, call }) {
  if (lane === null || lane === undefined) return plan.map(({ calls }) => Math.min(call, calls.length));
  const groups = [...new Set(plan.map(({ calls }) => calls.length))];
  const now = groups.indexOf(plan[lane].calls.length);
  return plan.map(({ calls }) => {
    const turn = groups.indexOf(calls.length) - now;
    return turn ? (turn < 0) * calls.length : call;
  });
}
