// Making elements. Texts become text nodes, never markup: names, logs and reports' fields are other people's.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** An HTML element; attributes named on…: listeners; null and false are left out. */
export function h(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** The same in SVG. */
export function s(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

/** Sets a text only where it differs, so that selections and readers are left in peace. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A card: a section with a heading. */
export function card(title, ...children) {
  return h("section", { class: "card", "aria-label": title }, h("h2", {}, title), ...children);
}

/** What a page shows while the place of the runs does not answer; nothing when it does again (problem null). */
export const away = (problem) => (problem ? [notice(problem.cause, problem.remedy, "bad")] : []);

/** What is wrong or missing, and what to do; `…` in the remedy is shown as code. */
export function notice(cause, remedy, kind = "") {
  const parts = remedy.split("`").map((part, i) => (i % 2 ? h("code", {}, part) : part));
  const what = h("p", {}, h("strong", {}, cause));
  return h("div", { class: "notice", "data-kind": kind || null }, what, h("p", {}, parts));
}
