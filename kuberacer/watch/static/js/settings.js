// What a run was asked for, as pairs of names and texts.

import { card, h } from "./dom.js";

const LONG = 80; // characters; a longer text is folded

/** [[name, text]] of settings whose values may be objects. */
export function pairs(settings) {
  return Object.entries(settings ?? {}).flatMap(([name, value]) => {
    if (value === null || value === undefined || value === "") return [];
    if (Array.isArray(value)) return [[name, JSON.stringify(value)]];
    if (typeof value === "object") return pairs(value).map(([inner, text]) => [`${name}.${inner}`, text]);
    return [[name, String(value)]];
  });
}

export function settings(values) {
  const row = ([name, text]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, shown(text)));
  const rows = pairs(values).map(row);
  if (!rows.length) return card("Settings", h("p", { class: "soft" }, "The defaults."));
  const caption = h("caption", { class: "hidden-text" }, "What the run was asked for");
  return card("Settings", h("table", { class: "settings" }, caption, h("tbody", {}, rows)));
}

function shown(text) {
  if (text.length <= LONG && !text.includes("\n")) return text;
  const first = text.trimStart().split("\n", 1)[0].slice(0, LONG / 2);
  return h("details", {}, h("summary", {}, `${first} …`), h("pre", { tabindex: "0" }, text));
}
