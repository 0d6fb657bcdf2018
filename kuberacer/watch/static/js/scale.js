// Axes: round steps and the way from values to pixels.

/** About `count` round values from low to high, 1, 2 or 5 times a power of ten apart (whole: 1 or more); their decimals. */
export function ticks(low, high, count, whole = false) {
  const rough = Math.max((high - low) / count, whole ? 1 : 0);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= rough * 0.999);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  const values = [];
  for (let i = first; i <= last; i += 1) values.push(i * step);
  return { values, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
}

/** The range of an axis: all values, some room, and zero where the quantity begins there. */
export function range(values, { fixed = null, zero = false } = {}) {
  if (fixed) return fixed;
  if (!values.length) return [0, 1];
  let low = values.reduce((a, b) => Math.min(a, b), zero ? 0 : Infinity);
  let high = values.reduce((a, b) => Math.max(a, b), zero ? 0 : -Infinity);
  if (low === high) {
    const half = (Math.abs(low) || 1) / 2;
    [low, high] = zero && low === 0 ? [0, 1] : [low - half, high + half];
  }
  const room = 0.06 * (high - low);
  return [zero && low === 0 ? 0 : low - room, high + room];
}

/** The function that takes [from, to] to [start, end]. */
export function linear([from, to], [start, end]) {
  const factor = (end - start) / (to - from || 1);
  return (value) => start + (value - from) * factor;
}
