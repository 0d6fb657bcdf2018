// What came of a run: laps, videos, the report, files to download, what it was asked for.

import { fileOf } from "./api.js";
import { Figures } from "./badge.js";
import { card, h, notice } from "./dom.js";
import { bytes, duration, lapTime, number, percent, words } from "./format.js";
import { settings } from "./settings.js";
import { Table } from "./table.js";

const KINDS = ["report", "video", "model", "metrics", "trace", "other"];
const FIRST_FILES = 12;

/** The evaluation, videos and report. run: the answer of /api/runs/{run}. */
export function results(run) {
  const files = run.files ?? [];
  const videos = files.filter((file) => file.kind === "video");
  const report = files.find((file) => file.kind === "report" && file.path.endsWith(".html"));
  const laps = run.evaluation ? evaluation(run.evaluation) : null;
  return h("div", { class: "stack" },
    laps || videos.length ? h("div", { class: "two" }, laps, videos.length ? player(run.run, videos) : null) : null,
    report ? reportCard(run.run, report) : null);
}

/** The files and the settings. */
export function particulars(run) {
  return h("div", { class: "two" }, downloads(run.run, run.files ?? []), settings(run.settings ?? {}));
}

function evaluation({ laps_completed, trials, best_lap, rows }) {
  const figures = new Figures([
    ["Laps completed", () => `${number(laps_completed)} of ${number(trials)}`],
    ["Best lap", () => lapTime(best_lap)],
  ]);
  figures.show({});
  const table = new Table("Laps of the evaluation", [
    { label: "Track", class: "lead", text: (row) => row.track ?? "–" },
    { label: "Trial", class: "number", text: (row) => number(row.trial) },
    { label: "End", text: (row) => words(row.status) },
    { label: "Way", class: "number", text: (row) => percent(row.progress) },
    { label: "Time", class: "number", text: (row) => lapTime(row.seconds) },
    { label: "Penalties", class: "number", text: (row) => duration(row.penalty) },
    { label: "Resets", class: "number", text: (row) => number(row.resets) },
  ], (_, i) => i);
  table.show(rows ?? []);
  return card("Evaluation", figures.element, rows?.length ? h("div", { class: "scroll" }, table.element) : null);
}

function player(run, videos) {
  const best = videos.find((file) => file.path === "video.mp4") ?? videos[0];
  const video = h("video", { controls: true, muted: true, playsinline: true, preload: "metadata" });
  const play = (path) => {
    video.src = fileOf(run, path);
    video.setAttribute("aria-label", `Video ${path}`);
  };
  const options = videos.map((file) => h("option", { value: file.path, selected: file === best }, file.path));
  const name = { class: "video-choice", "aria-label": "Which video" };
  const choose = h("select", { ...name, onchange: () => play(choose.value) }, options);
  play(best.path);
  return card("Videos", videos.length > 1 ? choose : null, video);
}

/** The report is other people's HTML: it is shown without scripts and without this site's rights. */
function reportCard(run, report) {
  const address = fileOf(run, report.path);
  const frame = h("details", {}, h("summary", {}, "Show it here"));
  frame.addEventListener("toggle", () => {
    frame.append(h("iframe", { sandbox: "", src: address, title: `Report of ${run}` }));
  }, { once: true });
  return card("Report", h("p", { class: "actions" },
    h("a", { class: "button strong", href: address, target: "_blank", rel: "noopener" }, "Open the report"),
    h("a", { class: "button", href: `${address}?download=1`, download: true }, `Download, ${bytes(report.size)}`),
  ), frame);
}

function downloads(run, files) {
  if (!files.length) return card("Files", notice("No file yet", "Files come when the run's stages end."));
  const link = ({ path }) => h("a", { href: `${fileOf(run, path)}?download=1`, download: true }, path);
  const table = new Table("Files of the run", [
    { label: "File", class: "lead", node: link },
    { label: "Kind", text: (file) => words(file.kind) },
    { label: "Size", class: "number", text: (file) => bytes(file.size) },
  ], (file) => file.path);
  const rank = (file) => KINDS.indexOf(file.kind);
  const sorted = [...files].sort((a, b) => rank(a) - rank(b) || a.path.localeCompare(b.path, "en", { numeric: true }));
  table.show(sorted.slice(0, FIRST_FILES));
  const rest = sorted.length - FIRST_FILES;
  const showAll = () => {
    table.show(sorted);
    more.remove();
    table.element.querySelectorAll("a")[FIRST_FILES].focus();
  };
  const more = h("button", { type: "button", onclick: showAll }, `Show ${rest} more`);
  return card("Files", h("div", { class: "scroll" }, table.element), rest > 0 ? more : null);
}
