// Which rows of a long table are drawn: those in sight and some around them. Does not touch the DOM.

const AROUND = 12; // rows above and below those in sight

// {from, to}: `to` is not drawn. All measures are in pixels.
export function visibleRows({ top, height, row, count }) {
  const first = Math.floor(Math.max(top, 0) / row);
  const last = Math.ceil((Math.max(top, 0) + height) / row);
  const from = Math.min(Math.max(first - AROUND, 0), count);
  return { from, to: Math.max(from, Math.min(last + AROUND, count)) };
}

// Where the table is scrolled to so that a row is in sight below the head; as it is where it is already.
export function scrolledTo({ top, height, head, row }, at) {
  const [begins, ends] = [at * row, (at + 1) * row];
  if (begins < top) return begins;
  const room = height - head;
  return ends > top + room ? ends - room : top;
}
