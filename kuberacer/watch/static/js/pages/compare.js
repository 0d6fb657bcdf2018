// Two or more runs beside each other: curves over one another, figures and differing settings in tables.

import { comparePage, get, runPage } from "../api.js";
import { badge, paintBadge } from "../badge.js";
import { SERIES, sample } from "../chart.js";
import { AXES, Curves } from "../curves.js";
import { card, h, notice, setText } from "../dom.js";
import { listen } from "../events.js";
import { duration, lapTime, number, percent, readable } from "../format.js";
import { History } from "../history.js";
import { pairs } from "../settings.js";
import { Table } from "../table.js";

const LONG = 80; // characters of a setting that are shown

export async function show(main, { query, signal, go }) {
  document.title = "Compare · KubeRacer";
  const names = [...new Set((query.get("runs") ?? "").split(",").filter(Boolean))].slice(0, SERIES);
  const { runs } = await get("runs", signal);
  const page = new Compare(names, runs, go);
  main.append(page.element);
  await page.read(names, signal);
  main.setAttribute("data-ready", "");
  listen("events", { runs: ({ runs: all }) => page.changed(all, signal) }, signal);
}

class Compare {
  #axis = "iteration";
  #runs = new Map(); // name: {run, rows} or {problem}

  constructor(names, all, go) {
    this.names = names;
    this.curves = new Curves();
    this.trouble = h("div", { class: "stack" });
    this.chosen = h("div", { class: "actions" });
    this.figures = this.#table();
    this.settings = h("div", {});
    this.#choose(all, go);
    this.element = h("div", { class: "stack" },
      h("div", { class: "head" },
        h("div", {}, h("h1", {}, "Compare"), h("p", {}, "Runs beside each other, up to six")), this.chosen),
      this.trouble, names.length < 2 ? advice(all.length) : null,
      ...(names.length ? [card("In numbers", h("div", { class: "scroll" }, this.figures.element)), this.#axes(),
        this.curves.element, this.settings] : []));
  }

  #choose(all, go) {
    const to = (names) => go(comparePage(names), true);
    const rest = all.map((run) => run.run).filter((name) => !this.names.includes(name));
    const add = h("select", { "aria-label": "Add a run", onchange: () => to([...this.names, add.value]) },
      h("option", { value: "" }, "Add a run …"), rest.map((name) => h("option", { value: name }, name)));
    const without = (name) => to(this.names.filter((each) => each !== name));
    const leave = (name) =>
      h("button", { type: "button", "aria-label": `Leave out ${name}`, onclick: () => without(name) }, `${name} ✕`);
    this.chosen.append(...this.names.map(leave), ...(rest.length && this.names.length < SERIES ? [add] : []));
  }

  #axes() {
    const choose = (axis) => { this.#axis = axis; this.#show(); };
    const radio = (axis) =>
      h("input", { type: "radio", name: "axis", checked: axis === this.#axis, onchange: () => choose(axis) });
    return h("fieldset", { class: "choice" }, h("legend", {}, "Curves over"),
      Object.entries(AXES).map(([axis, { name }]) => h("label", {}, radio(axis), name.toLowerCase())));
  }

  #table() {
    const text = (label, value) => ({ label, class: "number", text: ({ run }) => value(run) });
    const took = (run) => duration((run.ended ?? Date.now() / 1000) - run.started);
    const laps = ({ laps_completed: laps, trials }) => `${number(laps)} of ${number(trials)} laps`;
    return new Table("The runs in numbers", [
      { label: "Line", hidden: true, class: "ticked key", node: ({ series }) => sample(series) },
      { label: "Run", class: "lead", node: ({ run }) => h("a", { href: runPage(run.run) }, run.run) },
      { label: "State", node: () => badge(), paint: (cell, { run }) => paintBadge(cell.firstChild, run.state) },
      { label: "Track", text: ({ run }) => run.track ?? "–" },
      { label: "Algorithm", text: ({ run }) => run.algorithm ?? "–" },
      text("Iterations", (run) => number(run.iterations)), text("Steps", (run) => number(run.env_steps)),
      text("Took", took),
      text("Mean return", (run) => readable(run.mean_return)), text("Completion", (run) => percent(run.completion)),
      text("Best lap", (run) => lapTime(run.best_lap)),
      text("Evaluation", (run) => (run.evaluation ? laps(run.evaluation) : "–")),
    ], ({ run }) => run.run);
  }

  /** Reads runs anew and shows them. */
  async read(names, signal) {
    await Promise.all(names.map(async (name) => {
      try {
        const run = await get(`runs/${encodeURIComponent(name)}`, signal);
        this.#runs.set(name, { run, rows: new History(run.history).rows() });
      } catch (problem) {
        if (signal.aborted) throw problem;
        this.#runs.set(name, { problem });
      }
    }));
    this.#show();
  }

  /** all: the entries of all runs; those that went on are read anew. */
  changed(all, signal) {
    const moved = all.filter(({ run, state, iterations }) => {
      const before = this.#runs.get(run)?.run;
      return before && (before.state !== state || before.iterations !== iterations);
    });
    if (moved.length) this.read(moved.map(({ run }) => run), signal).catch(() => {});
  }

  #show() {
    const known = this.names.map((name, series) => ({ label: name, series, ...this.#runs.get(name) }));
    const tell = ({ label, problem }) => notice(`${label}: ${problem.message}`, problem.remedy ?? "Load again", "bad");
    this.trouble.replaceChildren(...known.filter(({ problem }) => problem).map(tell));
    const found = known.filter(({ run }) => run);
    this.figures.show(found);
    this.curves.show(found, this.#axis);
    this.settings.replaceChildren(...(found.length > 1 ? [differences(found)] : []));
  }
}

function advice(count) {
  const few = "There are not so many yet: `make run-pipeline`";
  return notice("Choose two runs or more", count < 2 ? few : "Add them above, or tick them in the list of runs.");
}

/** A table of the settings in which the runs differ. */
function differences(found) {
  const texts = found.map(({ run }) => new Map(pairs(run.settings)));
  const names = [...new Set(texts.flatMap((text) => [...text.keys()]))];
  const all = names.map((name) => [name, ...texts.map((text) => text.get(name) ?? "–")]);
  const rows = all.filter(([, ...values]) => new Set(values).size > 1);
  if (!rows.length) return card("Differing settings", h("p", { class: "soft" }, "None: all were asked for the same."));
  const short = (text) => (text.length > LONG ? `${text.slice(0, LONG)} …` : text);
  const table = new Table("Settings in which the runs differ", [
    { label: "Setting", class: "lead", text: ([name]) => name },
    ...found.map(({ label }, i) => ({ label, class: "wide", text: (row) => short(row[i + 1]) })),
  ], ([name]) => name);
  table.show(rows);
  return card("Differing settings", h("div", { class: "scroll" }, table.element));
}
