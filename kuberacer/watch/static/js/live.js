// A running training: cars on the track, camera, workers, log.

import { Camera } from "./camera.js";
import { card, h, notice, setText } from "./dom.js";
import { duration, number, words } from "./format.js";
import { Log } from "./log.js";
import { Table } from "./table.js";
import { TrackView } from "./track.js";

const SILENT_S = 15; // after which the cars on the page are called old

export class Live {
  #heard = performance.now();
  stage = "train";

  /** outline: of the track, null where it is not known yet. */
  constructor(outline, signal) {
    this.signal = signal;
    this.camera = new Camera();
    this.log = new Log();
    this.place = h("div", { class: "road-place" });
    this.doing = h("p", { class: "soft small" }, "Waiting for news of the cars");
    this.workers = new Table("Rollout workers", [
      { label: "Worker", class: "lead", text: (worker) => String(worker.worker) },
      { label: "Doing", text: (worker) => words(worker.doing) },
      { label: "Steps", class: "number", text: (worker) => number(worker.steps) },
      { label: "Heard of", class: "number", text: (worker) => `${duration(worker.seconds_ago)} ago` },
    ], (worker) => worker.worker);
    this.workersCard = card("Rollout workers", h("div", { class: "scroll" }, this.workers.element));
    this.workersCard.hidden = true;
    const road = card("On the track", this.place, this.doing);
    road.classList.add("road-card");
    const side = h("div", { class: "side" }, this.camera.element, this.log.element);
    this.element = h("div", { class: "stack" }, h("div", { class: "live" }, road, side), this.workersCard);
    this.setTrack(outline);
    const clock = setInterval(() => this.#age(), 1000);
    signal.addEventListener("abort", () => clearInterval(clock));
  }

  setTrack(outline) {
    this.track = outline ? new TrackView(outline, this.signal) : null;
    const unknown = () => notice("The track is not known yet", "It comes when the training begins.");
    this.place.replaceChildren(this.track?.element ?? unknown());
  }

  /** now: a `live` event. */
  show(now) {
    this.#heard = performance.now();
    if (now.cars?.length) this.track?.show(now.cars);
    const iteration = `iteration ${number(now.iteration + 1)}`;
    setText(this.doing, now.doing ? `${words(now.doing)} · ${iteration}` : iteration);
    this.workersCard.hidden = !now.workers?.length;
    this.workers.show(now.workers ?? []);
  }

  /** stages: of the run. */
  at(stages) {
    this.stage = stages.find(({ state }) => state === "running")?.name ?? "train";
  }

  #age() {
    const seconds = (performance.now() - this.#heard) / 1000;
    if (!this.stage.startsWith("train")) setText(this.doing, `Not training at this moment: ${words(this.stage)}`);
    else if (seconds > SILENT_S) setText(this.doing, `No news of the cars for ${duration(Math.round(seconds))}`);
  }
}
