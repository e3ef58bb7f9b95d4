// Lists of sigmas, one per lane, and which of them are equal.

// Merge equal lists into one, with the lanes that have it.
export function mergeEqual(lists) {
  const byContent = new Map();
  lists.forEach((list, lane) => {
    const key = JSON.stringify([list.sigma, list.a1111]);
    const known = byContent.get(key) ?? { ...list, lanes: [] };
    known.lanes.push(lane);
    byContent.set(key, known);
  });
  return [...byContent.values()];
}
