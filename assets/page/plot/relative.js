// Values relative to lane A's line, as the server draws them (plots/relative.py). Does not touch the DOM.

// `point` is a call, `steps` how many its lane has. NaN beyond the ends of A's line.
export function relativeTo({ x, y, ratio, share }, axis, value, point, steps) {
  const there = interpolated(x, ratio ? y.map(Math.log) : y, placeOf(axis, share, point, steps));
  return ratio ? value / Math.exp(there) : value - there;
}

function placeOf(axis, share, { step, second_call, timestep, sigma }, steps) {
  const at = step + (second_call ? 1.5 : 1);
  if (share) return (at - 1) / steps;
  return { step: at, timestep, log_sigma: Math.log(sigma) }[axis];
}

export function interpolated(x, y, place) {
  if (!x.length || !(place >= x[0] && place <= x.at(-1))) return NaN;
  const after = x.findIndex((each) => each >= place);
  if (x[after] === place) return y[after];
  const share = (place - x[after - 1]) / (x[after] - x[after - 1]);
  return y[after - 1] + share * (y[after] - y[after - 1]);
}
