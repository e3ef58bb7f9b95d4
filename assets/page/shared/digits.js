// Numbers as they stand in tables: significant digits, without an exponent for the usual sizes.

export const MISSING = "–";

export function digits(value, count = 5) {
  if (value === null || value === undefined || !Number.isFinite(value)) return MISSING;
  if (value === 0) return "0";
  const size = Math.floor(Math.log10(Math.abs(value)));
  if (size < -5) return value.toPrecision(count);
  return value.toFixed(Math.max(0, count - 1 - size));
}

// A timestep, mostly a whole number, with at most two decimals.
export const decimals = (value) =>
  value === null || value === undefined ? MISSING : Number.isInteger(value) ? String(value) : value.toFixed(2);
