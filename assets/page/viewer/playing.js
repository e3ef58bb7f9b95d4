// Plays a run's calls, in the page and in a saved page of its own.

const CALLS_PER_SECOND = 12;
const LONGEST_PLAY_S = 10;

// Call `show` with each call from `first` to `last`; a long run's calls are skipped so that it takes ten
// seconds. Returns a function that stops it.
export function playCalls(first, last, show) {
  const speed = Math.max(CALLS_PER_SECOND, last / LONGEST_PLAY_S) / 1000;
  const began = performance.now();
  let shown = -1;
  let frame = requestAnimationFrame(tick);
  function tick(now) {
    const call = Math.min(last, first + Math.floor(Math.max(0, now - began) * speed));
    if (call < last) frame = requestAnimationFrame(tick);
    if (call !== shown || call === last) show((shown = call));
  }
  return () => cancelAnimationFrame(frame);
}
