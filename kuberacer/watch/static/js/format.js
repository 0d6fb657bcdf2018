// Numbers with their units, as all pages write them. What is not known is a dash.

const NONE = "–";
const known = (value) => typeof value === "number" && Number.isFinite(value);

/** A number with thousands separated, by a fixed number of decimals. */
export function number(value, digits = 0) {
  if (!known(value)) return NONE;
  const text = value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return /^-0\.?0*$/.test(text) ? text.slice(1) : text.replace("-", "−");
}

/** As many decimals as the size asks for: 1,234 · 56.7 · 8.90 · 0.0012. */
export function readable(value) {
  if (!known(value)) return NONE;
  const size = Math.abs(value);
  if (size === 0 || size >= 1000) return number(value);
  if (size < 0.01) return value.toExponential(1).replace("-", "−");
  return number(value, size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

export const withUnit = (text, unit) => (text === NONE || !unit ? text : `${text} ${unit}`);
export const percent = (value) => withUnit(number(value), "%");
export const lapTime = (seconds) => withUnit(number(seconds, 3), "s");

/** How long something took: 8.2 s · 3 min 5 s · 2 h 10 min. */
export function duration(seconds) {
  if (!known(seconds)) return NONE;
  if (seconds < 60) return `${number(seconds, seconds < 10 ? 1 : 0)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** The time left, in minutes. */
export function minutes(seconds) {
  if (!known(seconds)) return NONE;
  return `${number(seconds / 60, seconds < 600 ? 1 : 0)} min`;
}

/** A moment, in the reader's own time. */
export function moment(seconds) {
  if (!known(seconds)) return NONE;
  return new Date(seconds * 1000).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}

export function bytes(size) {
  if (!known(size)) return NONE;
  const units = ["B", "kB", "MB", "GB", "TB"];
  let i = 0;
  while (size >= 1000 && i < units.length - 1) { size /= 1000; i += 1; }
  return `${number(size, i && size < 10 ? 1 : 0)} ${units[i]}`;
}

/** TIME_TRIAL becomes Time trial. */
export function words(name) {
  if (!name) return NONE;
  const text = String(name).replaceAll("_", " ");
  return text === "F1" ? text : text[0].toUpperCase() + text.slice(1).toLowerCase();
}
