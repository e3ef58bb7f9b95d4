// Plays a run's calls, in the page and in a saved page of its own.

const CALLS_PER_SECOND = 12;
const LONGEST_PLAY_S = 10;
const PAUSE_MS = 700; // at the last call, before a loop begins again

// Call `show` with each call from `first` to `last`, then `ended`; with `loop` it begins again at call 0
// instead. A long run's calls are skipped so that it takes ten seconds, at a speed of 1. Returns a function
// that stops it.
export function playCalls(first, last, show, { ended = () => {}, speed = 1, loop = false } = {}) {
  const rate = (speed * Math.max(CALLS_PER_SECOND, last / LONGEST_PLAY_S)) / 1000;
  let [from, began, shown] = [first, performance.now(), -1];
  let frame = requestAnimationFrame(tick);
  function tick(now) {
    const passed = Math.max(0, now - began);
    const call = Math.min(last, from + Math.floor(passed * rate));
    const over = call === last && !loop;
    if (!over) frame = requestAnimationFrame(tick);
    if (call !== shown) show((shown = call));
    if (over) ended();
    else if (call === last && passed > (last - from) / rate + PAUSE_MS) [from, began] = [0, now];
  }
  return () => cancelAnimationFrame(frame);
}
