// The log: the newest lines at the end, followed until the reader scrolls up.

import { card, h } from "./dom.js";

const MOST = 1000; // lines; the whole log is a file of the run

export class Log {
  #lines = [];

  constructor() {
    const name = { role: "log", tabindex: "0", "aria-label": "The newest lines of the log" };
    this.text = h("pre", { class: "log", ...name }, "No line yet.");
    this.element = card("Log", this.text);
  }

  /** all: these lines instead of those before. */
  add({ lines, all = false }) {
    if (!lines.length) return;
    const box = this.text;
    const follows = box.scrollHeight - box.scrollTop - box.clientHeight < 24;
    this.#lines = [...(all ? [] : this.#lines), ...lines].slice(-MOST);
    box.textContent = this.#lines.join("\n");
    if (follows) box.scrollTop = box.scrollHeight;
  }
}
