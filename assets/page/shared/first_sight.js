// What a visitor sees first comes before what takes long: the plot's script and its first drawing hold a page
// up for most of a second.

const PATIENCE_MS = 3000; // with pictures that do not come

const RUN = "#run[aria-disabled]"; // it can be pressed
const PICTURES = ".viewer:not([data-empty], [data-fetching])";

// Resolves once Run can be pressed and, at a first visit, the recorded example is on the stage.
export async function afterFirstSight() {
  const wanted = [RUN];
  const first = await Promise.race([window.samplerExplorerFirst, rest(PATIENCE_MS)]);
  if (first?.opened) wanted.push(PICTURES);
  const late = performance.now() + PATIENCE_MS;
  while (performance.now() < late && !wanted.every((query) => document.querySelector(query))) {
    await new Promise(requestAnimationFrame);
  }
  await rest(0); // what has come is drawn
}

const rest = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
