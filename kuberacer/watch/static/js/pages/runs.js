// All runs: the running ones large, all in a table from which some are chosen for a comparison.

import { comparePage, get, runPage } from "../api.js";
import { Bar, Figures, badge, paintBadge, used } from "../badge.js";
import { away, card, h, notice, setText } from "../dom.js";
import { listen } from "../events.js";
import { lapTime, minutes, moment, number, percent, readable, words } from "../format.js";
import { Table } from "../table.js";

export async function show(main, { signal, go }) {
  document.title = "Runs · KubeRacer";
  const page = new Runs(go);
  main.append(page.element);
  page.show(await get("runs", signal));
  main.setAttribute("data-ready", "");
  const trouble = (problem) => page.trouble.replaceChildren(...away(problem));
  listen("events", { runs: (data) => page.show(data), away: trouble }, signal);
}

class Runs {
  #cards = new Map();
  #chosen = new Set();

  constructor(go) {
    this.count = h("p", {}, "Reading the runs …");
    this.trouble = h("div", {});
    this.running = h("div", { class: "running" });
    const compare = () => go(comparePage([...this.#chosen]));
    this.compare = h("button", { type: "button", disabled: true, onclick: compare }, "Compare");
    this.table = new Table("All runs, the newest first", this.#columns(), (run) => run.run);
    this.all = h("div", {});
    this.element = h("div", {},
      h("div", { class: "head" }, h("div", {}, h("h1", {}, "Runs"), this.count), this.compare),
      h("div", { class: "stack" }, this.trouble, this.running, this.all));
  }

  #columns() {
    const text = (label, value, number = true) => ({ label, text: value, class: number ? "number" : null });
    return [
      { label: "Compare", hidden: true, class: "ticked", node: (run) => this.#tick(run.run) },
      { label: "Run", class: "lead", node: (run) => h("a", { href: runPage(run.run) }, run.run) },
      { label: "State", node: (run) => badge(run.state), paint: (cell, run) => paintBadge(cell.firstChild, run.state) },
      text("Track", (run) => run.track ?? "–", false),
      text("Race", (run) => words(run.race_type), false),
      text("Algorithm", (run) => run.algorithm ?? "–", false),
      { label: "Started", class: "wide", text: (run) => moment(run.started) },
      text("Iterations", (run) => number(run.iterations)),
      text("Steps", (run) => number(run.env_steps)),
      text("Mean return", (run) => readable(run.mean_return)),
      text("Completion", (run) => percent(run.completion)),
      text("Best lap", (run) => lapTime(run.best_lap)),
    ];
  }

  #tick(run) {
    const choose = (event) => {
      if (event.target.checked) this.#chosen.add(run);
      else this.#chosen.delete(run);
      const count = this.#chosen.size;
      this.compare.disabled = count < 2;
      this.compare.classList.toggle("strong", count >= 2);
      setText(this.compare, count ? `Compare ${count} ${count === 1 ? "run" : "runs"}` : "Compare");
    };
    return h("input", { type: "checkbox", "aria-label": `Compare ${run}`, onchange: choose });
  }

  show({ runs }) {
    this.trouble.replaceChildren();
    const active = runs.filter((run) => run.state === "running");
    const hint = runs.length > 1 ? ". Tick two or more to compare them" : "";
    setText(this.count, `${runs.length} in all, ${active.length} running${hint}`);
    this.#showRunning(active);
    if (!runs.length) {
      this.all.replaceChildren(notice("No run yet", "Start one with `make run-pipeline`; it appears here by itself."));
      this.shown = false;
    } else if (!this.shown) {
      this.all.replaceChildren(card("All runs", h("div", { class: "scroll" }, this.table.element)));
      this.shown = true;
    }
    this.table.show(runs);
  }

  #showRunning(active) {
    const names = new Set(active.map((run) => run.run));
    for (const [name, { element }] of this.#cards) {
      if (!names.has(name)) { element.remove(); this.#cards.delete(name); }
    }
    for (const run of active) {
      if (!this.#cards.has(run.run)) {
        this.#cards.set(run.run, new RunningCard(run));
        this.running.append(this.#cards.get(run.run).element);
      }
      this.#cards.get(run.run).show(run);
    }
  }
}

class RunningCard {
  constructor(run) {
    this.bar = new Bar(`Used time of ${run.run}`);
    this.about = h("p", { class: "soft small" });
    this.figures = new Figures([
      ["Time left", (r) => minutes(r.seconds_left)], ["Iterations", (r) => number(r.iterations)],
      ["Mean return", (r) => readable(r.mean_return)], ["Completion", (r) => percent(r.completion)],
    ]);
    this.element = h("section", { class: "card", "aria-label": run.run }, badge("running"),
      h("h2", {}, h("a", { href: runPage(run.run) }, run.run)), this.about, this.bar.element, this.figures.element);
  }

  show(run) {
    setText(this.about, [run.track, words(run.race_type), run.algorithm].filter(Boolean).join(" · "));
    this.bar.show(used(run));
    this.figures.show(run);
  }
}
