// The curves of one run or of several: charts that share one x axis, and a slider that reads their values at one place.

import { Chart } from "./chart.js";
import { h, setText } from "./dom.js";
import { number } from "./format.js";

const learning = (name) => (row) => row[`learning.${name}`] ?? null;
const column = (name) => (row) => row[name] ?? null;

/** lines: what one run shows; where runs are compared, the first line of each. */
const SPECS = [
  { title: "Mean return", unit: "reward an episode", short: "", lines: [["mean return", column("mean_return")]] },
  { title: "Completion", unit: "% of the lap", short: "%", fixed: [0, 104],
    lines: [["training", column("completion")], ["without exploration", column("lap_progress")]] },
  { title: "Lap time", unit: "s, without exploration", short: "s", none: "No lap completed yet",
    lines: [["lap time", (row) => (row.lap_completed ? row.lap_seconds : null)]] },
  { title: "Entropy", unit: "nat", lines: [["entropy", learning("entropy")]] },
  { title: "Throughput", unit: "steps/s", zero: true, lines: [["throughput", column("steps_per_second_here")]] },
  { title: "Time of an iteration", unit: "s", zero: true,
    lines: [["whole", column("whole_seconds")], ["play", column("play_seconds")], ["learn", column("learn_seconds")]] },
];

export const AXES = {
  iteration: { name: "Iteration", of: (row) => row.iteration, digits: 0, whole: true },
  steps: { name: "Steps", of: (row) => row.steps, digits: 0, whole: true },
  minutes: { name: "Minutes", of: (row) => row.seconds / 60, digits: 1 },
};

export class Curves {
  #x = [0, 1];
  #axis = AXES.iteration;
  #held = null; // where the slider was put; null: at the newest
  #pointed = null; // where the pointer is, which goes before the slider

  constructor() {
    this.charts = SPECS.map((spec) => new Chart(spec, (x) => {
      this.#pointed = x;
      this.#point();
    }));
    this.label = h("label", { for: "scrub" });
    this.slider = h("input", { id: "scrub", type: "range", oninput: () => this.#slide() });
    const scrub = h("div", { class: "scrub" }, h("h2", {}, "Curves"), this.label, this.slider);
    this.element = h("section", { "aria-label": "Curves" }, scrub,
      h("div", { class: "charts" }, this.charts.map((chart) => chart.element)));
    this.show([]);
  }

  /** runs: [{label, series, rows}]; axis: one of AXES. */
  show(runs, axis = "iteration") {
    this.#axis = AXES[axis];
    const all = runs.flatMap((run) => run.rows.map(this.#axis.of));
    const last = all.reduce((a, b) => Math.max(a, b), 0);
    const first = axis === "iteration" ? 1 : 0;
    this.#x = [first, Math.max(last, first + (axis === "iteration" ? 1 : 0.1))];
    if (this.#held !== null && this.#held >= last) this.#held = null;
    this.charts.forEach((chart, i) => chart.show(this.#lines(SPECS[i], runs), this.#x, this.#axis));
    const step = axis === "iteration" ? 1 : "any";
    Object.assign(this.slider, { min: first, max: this.#x[1], step, disabled: !last });
    this.slider.value = this.#held ?? this.#x[1];
    this.#point();
  }

  #lines(spec, runs) {
    const points = (rows, value) => rows.map((row) => [this.#axis.of(row), value(row)]);
    if (runs.length !== 1) {
      return runs.map(({ label, series, rows }) => ({ label, series, points: points(rows, spec.lines[0][1]) }));
    }
    return spec.lines.map(([label, value], series) => ({ label, series, points: points(runs[0].rows, value) }));
  }

  #slide() {
    const value = Number(this.slider.value);
    this.#held = value >= this.#x[1] ? null : value;
    this.#point();
  }

  #point() {
    const x = this.#pointed ?? this.#held;
    const place = x !== null && this.#axis === AXES.iteration ? Math.round(x) : x;
    this.charts.forEach((chart) => chart.point(place));
    const text = place === null ? "values of the newest" : "values at";
    const where = place === null ? this.#x[1] : place;
    setText(this.label, this.slider.disabled ? "No iteration yet" :
      `${this.#axis.name} ${number(where, this.#axis.digits)} · ${text}`);
  }
}
