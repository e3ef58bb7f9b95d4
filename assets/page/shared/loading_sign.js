// Gradio's sign for a page that loads counts its seconds in every frame, and goes on doing so after it has
// been taken away: a page at rest would keep a twentieth of a core busy as long as it is open.

const ITS_SCRIPT = "/statustracker-";
const FRAMES = 3;

// Let the sign's clock stop: for a few frames what its script asks for is not called, and it asks again only
// when it is called. Any other sign has to be one that is not shown now.
export function stopLoadingSign() {
  const asked = window.requestAnimationFrame;
  window.requestAnimationFrame = (callback) =>
    new Error().stack.includes(ITS_SCRIPT) ? 0 : asked.call(window, callback);
  let frames = 0;
  const count = () => (++frames < FRAMES ? asked.call(window, count) : restore());
  const restore = () => (window.requestAnimationFrame = asked);
  asked.call(window, count);
}
