// Latents as grey pictures: their channels side by side, one pixel a number. Does not touch the DOM.

const GAP = 1; // pixels between two channels, and between the pictures of a batch

// One scale for several latents, null among them for what has not come: { low, high, channels, finite }, or
// null without any.
export function scaleOf(latents) {
  const there = latents.filter(Boolean);
  if (!there.length) return null;
  return {
    low: Math.min(...there.map(({ low }) => low)),
    high: Math.max(...there.map(({ high }) => high)),
    channels: there[0].shape[1],
    finite: there.every(({ finite }) => finite),
  };
}

// { width, height, values, gaps }: each channel as near to a square of them as their number allows, and so
// the pictures of a batch; `values` are red, green and blue from 0 to 255, `gaps` says which pixels are none.
// `earlier`, a picture of the same run, may be written over.
export function greys({ shape: [images, channels, height, width], values: numbers }, { low, high }, earlier = null) {
  const inner = grid(channels, width, height);
  const outer = grid(images, inner.width, inner.height);
  const fits = earlier?.width === outer.width && earlier.height === outer.height;
  const values = fits ? earlier.values : new Float32Array(outer.width * outer.height * 3);
  const gaps = fits ? earlier.gaps : new Uint8Array(outer.width * outer.height).fill(1);
  const factor = high > low ? 255 / (high - low) : 0;
  let from = 0;
  for (let image = 0; image < images; image++) {
    for (let channel = 0; channel < channels; channel++) {
      const left = outer.left(image) + inner.left(channel);
      const top = outer.top(image) + inner.top(channel);
      for (let y = 0; y < height; y++) {
        let to = (top + y) * outer.width + left;
        for (let x = 0; x < width; x++, from++, to++) {
          const grey = Number.isFinite(numbers[from]) ? (numbers[from] - low) * factor : 0;
          values[3 * to] = values[3 * to + 1] = values[3 * to + 2] = grey;
          gaps[to] = 0;
        }
      }
    }
  }
  return { width: outer.width, height: outer.height, values, gaps };
}

function grid(count, width, height) {
  const columns = Math.ceil(Math.sqrt(count));
  const rows = Math.ceil(count / columns);
  return {
    width: columns * (width + GAP) - GAP,
    height: rows * (height + GAP) - GAP,
    left: (at) => (at % columns) * (width + GAP),
    top: (at) => Math.floor(at / columns) * (height + GAP),
  };
}

// Fills a canvas's data; the gaps stay transparent.
export function shade({ values, gaps }, data) {
  for (let at = 0, to = 0; at < gaps.length; at++, to += 4) {
    data[to] = data[to + 1] = data[to + 2] = values[3 * at];
    data[to + 3] = gaps[at] ? 0 : 255;
  }
}
