// Undo and redo of plain data: a form's values before each change. Does not touch the DOM.

const TYPING_MS = 1000; // changes of one field at shorter intervals are one entry
const MOST = 300;

// `present` has the form's present values: an object of plain JSON by field.
export function makeHistory(present) {
  const past = [];
  const future = [];
  let last = null; // { field, at } of the newest entry; null once it may not grow

  // Take note of what the form holds. `typed`: may it join the entry before, where that is of the
  // same field; `follows`: it came with the change before, as a model's settings come with the model.
  function record(next, { now = Date.now(), typed = false, follows = false, patience = TYPING_MS } = {}) {
    const fields = changed(present, next);
    if (!fields.length) return false;
    if (follows && !past.length) {
      present = next; // the page's initial values
      return true;
    }
    const field = fields.length === 1 ? fields[0] : "";
    const goesOn = typed && field && last?.field === field && now - last.at < patience;
    const joins = past.length > 0 && (follows || goesOn);
    if (!joins) past.push(present);
    if (past.length > MOST) past.shift();
    present = shared(present, next);
    future.length = 0;
    last = { field: typed ? field : "", at: now };
    // The field has its earlier value again: no change is left to undo.
    if (joins && !changed(past.at(-1), present).length) {
      past.pop();
      last = null;
    }
    return true;
  }

  function move(from, to) {
    if (!from.length) return null;
    to.push(present);
    present = from.pop();
    last = null;
    return present;
  }

  return {
    record,
    undo: () => move(past, future),
    redo: () => move(future, past),
    // The next change starts a new entry in any case.
    close: () => (last = null),
    present: () => present,
    canUndo: () => past.length > 0,
    canRedo: () => future.length > 0,
  };
}

// The paths at which two forms differ: "steps", "lanes.lanes.0.beta_end".
export function changed(one, other, path = "") {
  if (Object.is(one, other)) return [];
  const both = [one, other].every((each) => each && typeof each === "object");
  if (!both || Array.isArray(one) !== Array.isArray(other)) return [path];
  if (Array.isArray(one) && one.length !== other.length) return [path];
  const names = [...new Set([...Object.keys(one), ...Object.keys(other)])];
  return names.flatMap((name) => changed(one[name], other[name], path ? `${path}.${name}` : name));
}

// `next`, with the parts of `before` that are equal in place of its own: entries share long lists.
function shared(before, next) {
  if (!changed(before, next).length) return before;
  if (!next || typeof next !== "object" || Array.isArray(next) !== Array.isArray(before)) return next;
  if (Array.isArray(next)) return next.map((each, at) => shared(before[at], each));
  return Object.fromEntries(Object.entries(next).map(([name, each]) => [name, shared(before?.[name], each)]));
}
