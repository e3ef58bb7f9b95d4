// Lists of sigmas, one a lane: which of them are the same.

// Lists that are equal as one, with the lanes that have them.
export function alike(lists) {
  const byContent = new Map();
  lists.forEach((list, lane) => {
    const key = JSON.stringify([list.sigma, list.a1111]);
    const known = byContent.get(key) ?? { ...list, lanes: [] };
    known.lanes.push(lane);
    byContent.set(key, known);
  });
  return [...byContent.values()];
}
