// Gradio's sign for a page that loads counts its seconds in every frame, and goes on doing so after it has
// been taken away: a page at rest would keep a twentieth of a core busy as long as it is open.

const ITS_SCRIPT = "/statustracker-";
const FRAMES = 3;

// Stops the sign's clock. The clock asks for its next frame within the one before, so a few frames in which its
// script's requests are dropped end it. To be called while no sign is shown: the clock of one would stop too.
export function stopLoadingSign() {
  const asked = window.requestAnimationFrame;
  window.requestAnimationFrame = (callback) =>
    new Error().stack.includes(ITS_SCRIPT) ? 0 : asked.call(window, callback);
  let frames = 0;
  const count = () => (++frames < FRAMES ? asked.call(window, count) : restore());
  const restore = () => (window.requestAnimationFrame = asked);
  asked.call(window, count);
}
