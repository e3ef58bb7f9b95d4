// Numbers in half precision, as this browser reads them: few have a Float16Array. Does not touch the DOM.

let table = null; // of all 65,536 numbers

// The numbers of a Uint16Array of their bits, times `scale`, as a Float32Array.
export function fromHalf(bits, scale = 1) {
  table ??= Float32Array.from({ length: 2 ** 16 }, (_, half) => valueOf(half));
  return Float32Array.from(bits, (half) => table[half] * scale);
}

function valueOf(half) {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return fraction ? NaN : sign * Infinity;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
