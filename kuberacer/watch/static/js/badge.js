// How a run stands, as a word with a mark, and the figures that pages show large.

import { h, setText } from "./dom.js";

export function badge(state = "") {
  const element = h("span", { class: "badge" });
  paintBadge(element, state);
  return element;
}

export function paintBadge(element, state) {
  element.dataset.state = state;
  setText(element, state);
}

/** A list of named values: [[name, value(data)]]; show(data) brings the values up to date. */
export class Figures {
  constructor(entries) {
    this.entries = entries.map(([name, value]) => ({ value, name, place: h("dd") }));
    this.element = h("dl", { class: "figures" },
      this.entries.map(({ name, place }) => h("div", {}, h("dt", {}, name), place)));
  }

  show(data) {
    for (const { value, place } of this.entries) {
      const text = value(data);
      if (place.dataset.text === text) continue;
      place.dataset.text = text;
      const [, figure, unit] = /^(\S+)(?:\s(\D+))?$/.exec(text) ?? [null, text, ""];
      place.replaceChildren(figure, unit ? h("span", { class: "unit" }, ` ${unit}`) : "");
    }
  }
}

/** A bar of the used share of something. */
export class Bar {
  constructor(label) {
    this.fill = h("span", { class: "bar-fill" });
    const range = { role: "progressbar", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 100 };
    this.element = h("div", { class: "track-bar", ...range }, this.fill);
  }

  /** share: 0 to 1, null: not known */
  show(share) {
    const value = Math.round(100 * (share ?? 0));
    this.fill.style.width = `${value}%`;
    if (share === null) this.element.removeAttribute("aria-valuenow");
    else this.element.setAttribute("aria-valuenow", value);
  }
}

/** The used share of a running training's time. */
export function used(run) {
  if (run.seconds_left === null || !run.started) return null;
  const gone = Date.now() / 1000 - run.started;
  return Math.min(1, Math.max(0, gone / (gone + run.seconds_left || 1)));
}
