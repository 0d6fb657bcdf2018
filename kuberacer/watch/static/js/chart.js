// One chart of one or more lines, as SVG in real pixels.

import { h, s, setText } from "./dom.js";
import { readable, number, withUnit } from "./format.js";
import { linear, range, ticks } from "./scale.js";

const LEFT = 48, RIGHT = 12, TOP = 8, BOTTOM = 36;
const FEW = 40; // points; so few are marked one by one
export const SERIES = 6; // colours and dashes in charts.css

/** The last point of a line at or before x (the very last where x is null). */
export function at(points, x) {
  const known = points.filter((point) => point[1] !== null && (x === null || point[0] <= x + 1e-9));
  return known.length ? known[known.length - 1] : null;
}

/** A sample of a line's stroke, for keys. */
export function sample(series) {
  const line = s("line", { x1: 0, y1: 4, x2: 24, y2: 4 });
  return s("svg", { class: `series-${series}`, viewBox: "0 0 24 8", "aria-hidden": "true" }, line);
}

export class Chart {
  #lines = [];
  #x = [0, 1];
  #axis = { name: "", whole: true };
  #cursor = null;
  #drawn = 0;

  /** spec: {title, unit, short, fixed, zero, none}; pointed(x or null): the pointer is over this place of the axis. */
  constructor(spec, pointed) {
    this.spec = spec;
    this.now = h("span", { class: "now" });
    this.key = h("ul", { class: "key" });
    this.svg = s("svg", { role: "img" });
    const unit = spec.unit ? h("span", { class: "unit" }, ` ${spec.unit}`) : null;
    this.element = h("figure", { class: "card chart" },
      h("figcaption", {}, h("h3", {}, spec.title, unit), this.now), this.svg, this.key);
    this.svg.addEventListener("pointermove", (event) => pointed(this.#toX(event)));
    this.svg.addEventListener("pointerleave", () => pointed(null));
    new ResizeObserver(() => this.#later()).observe(this.svg);
  }

  /** lines: [{label, series, points: [[x, y or null]]}]; x: the range of the x axis; axis: {name, whole}. */
  show(lines, x, axis) {
    this.#lines = lines;
    this.#x = x;
    this.#axis = axis;
    this.#later();
  }

  point(x) {
    this.#cursor = x;
    this.#drawCursor();
  }

  #toX(event) {
    const box = this.svg.getBoundingClientRect();
    const share = (event.clientX - box.left - LEFT) / (box.width - LEFT - RIGHT);
    return this.#x[0] + Math.min(1, Math.max(0, share)) * (this.#x[1] - this.#x[0]);
  }

  #later() {
    if (this.#drawn) return;
    this.#drawn = requestAnimationFrame(() => { this.#drawn = 0; this.#draw(); });
  }

  #draw() {
    const { width, height } = this.svg.getBoundingClientRect();
    if (!width) return;
    const values = this.#lines.flatMap((line) => line.points.map((point) => point[1]).filter((y) => y !== null));
    const y = range(values, this.spec);
    this.toX = linear(this.#x, [LEFT, width - RIGHT]);
    this.toY = linear(y, [height - BOTTOM, TOP]);
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const none = s("text", { x: width / 2, y: height / 2, "text-anchor": "middle" }, this.spec.none ?? "No value yet");
    this.marks = s("g");
    const drawn = values.length ? this.#axes(y, width, height) : [none];
    this.svg.replaceChildren(...drawn, ...this.#lines.flatMap((line) => this.#line(line)), this.marks);
    this.svg.setAttribute("aria-label", this.#words());
    this.#drawCursor();
  }

  #axes(y, width, height) {
    const across = ticks(...y, 4);
    const along = ticks(...this.#x, Math.max(2, Math.floor(width / 90)), this.#axis.whole);
    return [
      ...across.values.flatMap((value) => [
        s("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: this.toY(value), y2: this.toY(value) }),
        s("text", { x: LEFT - 8, y: this.toY(value) + 4, "text-anchor": "end" }, number(value, across.digits)),
      ]),
      ...along.values.map((value) =>
        s("text", { x: this.toX(value), y: height - 19, "text-anchor": "middle" }, number(value, along.digits))),
      s("text", { x: (LEFT + width - RIGHT) / 2, y: height - 3, "text-anchor": "middle" },
        this.#axis.name.toLowerCase()),
    ];
  }

  #line({ points, series }) {
    let pen = "M";
    let way = "";
    for (const [x, y] of points) {
      if (y === null) { pen = "M"; continue; }
      way += `${pen}${this.toX(x).toFixed(1)} ${this.toY(y).toFixed(1)}`;
      pen = "L";
    }
    const known = points.filter((point) => point[1] !== null);
    const dots = known.length <= FEW ? known : [];
    return [
      s("path", { class: `series-${series}`, d: way }),
      ...dots.map(([x, y]) => s("circle", { class: `series-${series}`, cx: this.toX(x), cy: this.toY(y), r: 3 })),
    ];
  }

  #drawCursor() {
    if (!this.marks) return;
    const found = this.#lines.map((line) => [line, at(line.points, this.#cursor)]);
    const marks = found.filter(([, point]) => point).map(([line, [x, y]]) =>
      s("circle", { class: `series-${line.series}`, cx: this.toX(x), cy: this.toY(y), r: 4.5 }));
    if (this.#cursor !== null) {
      const x = this.toX(this.#cursor);
      const bottom = this.svg.viewBox.baseVal.height - BOTTOM;
      marks.unshift(s("line", { class: "cursor", x1: x, x2: x, y1: TOP, y2: bottom }));
    }
    this.marks.replaceChildren(...marks);
    const value = (point) => withUnit(readable(point ? point[1] : null), this.spec.short ?? this.spec.unit);
    if (found.length === 1) {
      setText(this.now, value(found[0][1]));
      this.key.replaceChildren();
    } else {
      this.key.replaceChildren(...found.map(([line, point]) =>
        h("li", {}, sample(line.series), `${line.label} `, h("b", {}, value(point)))));
    }
  }

  /** The chart in words, for those who do not see it. */
  #words() {
    const unit = this.spec.unit ? `, ${this.spec.unit}` : "";
    const parts = this.#lines.map(({ label, points }) => {
      const known = points.map((point) => point[1]).filter((y) => y !== null);
      const name = this.#lines.length > 1 ? `${label}: ` : "";
      if (!known.length) return `${name}no values yet`;
      const [low, high] = known.reduce(([a, b], y) => [Math.min(a, y), Math.max(b, y)], [Infinity, -Infinity]);
      const ends = `first ${readable(known[0])}, last ${readable(known.at(-1))}`;
      return `${name}${known.length} values, ${ends}, lowest ${readable(low)}, highest ${readable(high)}`;
    });
    return `${this.spec.title}${unit}. ${parts.join(". ") || "No values yet"}.`;
  }
}
