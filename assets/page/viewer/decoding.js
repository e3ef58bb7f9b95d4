// Pictures on a canvas: decoded, also by browsers without createImageBitmap or its options, or made of numbers.

// Resolves to something that a canvas draws, with width, height and close(); `smaller` are options of
// createImageBitmap, which are left out where a browser does not take them. Rejects for a file that is no
// picture.
export async function decoded(blob, smaller = null) {
  if (typeof createImageBitmap !== "function") return asCanvas(blob);
  if (!smaller) return createImageBitmap(blob);
  return createImageBitmap(blob, smaller).catch(() => createImageBitmap(blob));
}

async function asCanvas(blob) {
  const url = URL.createObjectURL(blob);
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = makeCanvas(image.naturalWidth, image.naturalHeight);
    canvas.getContext("2d").drawImage(image, 0, 0);
    return Object.assign(canvas, { close: () => resize(canvas, 0, 0) });
  } finally {
    URL.revokeObjectURL(url);
  }
}

export function makeCanvas(width, height) {
  return Object.assign(document.createElement("canvas"), { width, height });
}

// Setting a canvas's size clears it, so only when it differs.
export function resize(canvas, width, height) {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}

export function paint(canvas, source, x = 0, y = 0, width = source.width, height = source.height) {
  resize(canvas, width, height);
  canvas.getContext("2d").drawImage(source, x, y, width, height, 0, 0, width, height);
}

const images = new WeakMap(); // canvas to the data that it was drawn from, which is used again

// Draw a picture of numbers, which `fill(picture, data)` writes as a canvas's data; nothing for null.
export function drawNumbers(canvas, picture, fill) {
  if (!picture) return;
  const { width, height } = picture;
  resize(canvas, width, height);
  const context = canvas.getContext("2d");
  let image = images.get(canvas);
  if (image?.width !== width || image.height !== height) {
    image = context.createImageData(width, height);
    images.set(canvas, image);
  }
  fill(picture, image.data);
  context.putImageData(image, 0, 0);
}
