// One run: while it runs what happens now, then what came of it; the curves always.

import { get } from "../api.js";
import { Figures, badge, paintBadge } from "../badge.js";
import { Curves } from "../curves.js";
import { away, h, notice, setText } from "../dom.js";
import { listen } from "../events.js";
import { duration, lapTime, minutes, moment, number, percent, readable, withUnit, words } from "../format.js";
import { History } from "../history.js";
import { Live } from "../live.js";
import { particulars, results } from "../outcome.js";

export async function show(main, { name, signal }) {
  document.title = `${name} · KubeRacer`;
  const read = () => get(`runs/${encodeURIComponent(name)}`, signal);
  const run = await read();
  const page = new RunPage(run, read, signal);
  main.append(page.element);
  main.setAttribute("data-ready", "");
  if (run.state !== "running") return;
  const running = new AbortController(); // the stream ends with the run or with the page
  signal.addEventListener("abort", () => running.abort());
  const ended = async () => {
    running.abort();
    page.ended(await read());
  };
  listen(`runs/${encodeURIComponent(name)}/events`, page.handlers(ended), running.signal);
}

const RUNNING = [
  ["Time left", (run) => minutes(run.seconds_left)],
  ["Throughput", (run) => withUnit(number(run.steps_per_second), "steps/s")],
];
const ENDED = [["Took", (run) => duration(run.ended ? run.ended - run.started : null)]];
const ALWAYS = [
  ["Iterations", (run) => number(run.iterations)],
  ["Steps", (run) => number(run.env_steps)],
  ["Mean return", (run) => readable(run.mean_return)],
  ["Completion", (run) => percent(run.completion)],
  ["Best lap", (run) => lapTime(run.best_lap)],
];

class RunPage {
  /** read(): the run anew */
  constructor(run, read, signal) {
    this.run = run;
    this.read = read;
    this.history = new History(run.history);
    this.curves = new Curves();
    this.state = badge();
    this.about = h("p", {});
    this.trouble = h("div", {});
    this.stages = h("ol", { class: "stages", "aria-label": "Stages" });
    this.figures = h("section", { class: "card", "aria-label": "The run in numbers" });
    this.live = run.state === "running" ? new Live(run.track_outline, signal) : null;
    this.results = h("div", { class: "stack" });
    this.particulars = h("div", {});
    this.element = h("div", { class: "stack" },
      h("div", { class: "head" }, h("div", {}, h("h1", {}, run.run), this.about), this.state),
      this.trouble, this.figures, h("section", { class: "card", "aria-label": "Stages" }, this.stages),
      this.live?.element ?? null, this.results, this.curves.element, this.particulars);
    this.#showAll(run);
  }

  #showAll(run) {
    const list = new Figures([...(this.live ? RUNNING : ENDED), ...ALWAYS]);
    this.figures.replaceChildren(list.element);
    this.showFigures = (now) => list.show(now);
    this.#showState(run);
    this.#showCurves();
    if (this.live) return;
    this.results.replaceChildren(results(run));
    this.particulars.replaceChildren(particulars(run));
  }

  /** What each event of the stream does; ended() is called when the run is over. */
  handlers(ended) {
    return {
      history: (table) => { this.history.add(table); this.#showCurves(); },
      live: (now) => {
        this.live.show(now);
        if (!this.live.track) this.#findTrack();
        const { seconds_left, steps_per_second } = now;
        this.#showState({ ...this.run, seconds_left, steps_per_second });
      },
      camera: (picture) => this.live.camera.show(picture),
      log: (lines) => this.live.log.add(lines),
      state: (run) => { this.#showState({ ...this.run, ...run }); if (run.state !== "running") ended(); },
      away: (problem) => this.trouble.replaceChildren(...away(problem)),
    };
  }

  /** The track becomes known while the run goes on. */
  async #findTrack() {
    const { track_outline: outline } = await this.read();
    if (outline) this.live?.setTrack(outline);
  }

  ended(run) {
    this.live?.element.remove();
    this.live = null;
    this.history = new History(run.history);
    this.#showAll(run);
  }

  #showState(run) {
    this.run = run;
    paintBadge(this.state, run.state);
    const about = [run.track, words(run.race_type), run.algorithm].filter(Boolean).join(" · ");
    setText(this.about, `${about} · started ${moment(run.started)}`);
    this.showFigures(run);
    this.#showStages(run.stages ?? []);
    this.live?.at(run.stages ?? []);
    this.#showError(run);
  }

  #showStages(stages) {
    const text = JSON.stringify(stages);
    if (this.stages.dataset.text === text) return;
    this.stages.dataset.text = text;
    this.stages.replaceChildren(...stages.map(({ name, state, seconds }) => {
      const hidden = h("span", { class: "hidden-text" }, state);
      return h("li", { "data-state": state }, `${words(name)} `, hidden, seconds ? duration(seconds) : "");
    }));
  }

  #showError({ state, error, run }) {
    if (state === "running") return;
    const remedy = `Go on from the last checkpoint: \`make run-pipeline RESUME=${run}\``;
    if (error) this.trouble.replaceChildren(notice(error.cause, `${error.remedy}. ${remedy}`, "bad"));
    else if (state === "stopped") this.trouble.replaceChildren(notice("This run was stopped before its end", remedy));
    else if (state === "failed") this.trouble.replaceChildren(notice("This run failed", remedy, "bad"));
    else this.trouble.replaceChildren();
  }

  #showCurves() {
    this.curves.show([{ label: this.run.run, series: 0, rows: this.history.rows() }]);
  }
}
