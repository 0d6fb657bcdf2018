// The leaderboards: who was fastest, in which race on which track, by which run.

import { get, runPage } from "../api.js";
import { card, h, notice } from "../dom.js";
import { listen } from "../events.js";
import { lapTime, number, percent, withUnit, words } from "../format.js";
import { Table } from "../table.js";

export async function show(main, { signal }) {
  document.title = "Leaderboard · KubeRacer";
  const boards = h("div", { class: "stack" });
  main.append(h("div", { class: "head" }, h("div", {}, h("h1", {}, "Leaderboard"),
    h("p", {}, "Best lap of the evaluation, penalties included"))), boards);
  let ended = null;
  const read = async () => boards.replaceChildren(...tables(await get("leaderboard", signal)));
  await read();
  main.setAttribute("data-ready", "");
  listen("events", { runs: ({ runs }) => {
    const now = runs.filter((run) => run.state === "finished").length;
    if (ended !== null && now !== ended) read().catch(() => {});
    ended = now;
  } }, signal);
}

function tables({ boards }) {
  const cards = boards.flatMap(({ rows }) => [...groups(rows)].map(([title, entries]) =>
    card(title, h("div", { class: "scroll" }, board(title, entries)))));
  const none = () => notice("Nothing was published yet", "A run that ends well appears here: `make run-pipeline`");
  return cards.length ? cards : [none()];
}

/** Entries by race and track: a rank counts within one race on one track. */
function groups(rows) {
  const found = new Map();
  for (const row of rows) {
    const title = `${words(row.race_type)} on ${row.track}`;
    found.set(title, [...(found.get(title) ?? []), row]);
  }
  return found;
}

function board(title, entries) {
  const lap = (row) => (row.best_lap == null ? withUnit(percent(row.progress), "of the lap") : lapTime(row.best_lap));
  const laps = (row) => (row.trials == null ? number(row.laps) : `${number(row.laps)} of ${number(row.trials)}`);
  const table = new Table(title, [
    { label: "Rank", text: (row) => number(row.rank) },
    { label: "Racer", class: "lead", text: (row) => row.racer },
    { label: "Model", class: "wide", text: (row) => row.model },
    { label: "Best lap", class: "number", text: lap },
    { label: "Penalties", class: "number", text: (row) => withUnit(number(row.penalty, 1), "s") },
    { label: "Laps", class: "number", text: laps },
    { label: "Run", class: "wide", node: (row) => h("a", { href: runPage(row.run) }, row.run) },
  ], (_, i) => i);
  table.show(entries);
  return table.element;
}
