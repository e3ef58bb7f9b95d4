// What stands at one place of the x axis: the places of all lanes' calls, and each lane's call there.
// Does not touch the DOM.

import { ALONG } from "./axes.js";

const SAME = 1e-9; // relative: two places of two lanes that are one

// The places of all calls in the order of a run: by step they rise, by timestep and sigma they fall.
export function placesOf(lanes, axis) {
  const all = lanes.flatMap(({ rows }) => rows.map(ALONG[axis])).sort((one, other) => one - other);
  const places = all.filter((place, at) => at === 0 || Math.abs(place - all[at - 1]) > SAME * Math.abs(place));
  return axis === "step" ? places : places.reverse();
}

export function nearest(places, distance) {
  let best = -1;
  let least = Infinity;
  places.forEach((place, at) => {
    const away = distance(place);
    if (away < least) [best, least] = [at, away];
  });
  return best;
}

// A lane's row at a place: by step the one that it has come to, else the nearest by `distance`.
export function rowAt({ rows }, axis, place, distance) {
  if (axis !== "step") return rows[nearest(rows.map(ALONG[axis]), distance)] ?? null;
  return rows.findLast((row) => ALONG.step(row) <= place + SAME) ?? null;
}
