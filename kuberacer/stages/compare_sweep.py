"""Compare a sweep's trials: one table and one page with curves and confidence intervals, from what they kept."""

import argparse
import json
import tempfile
from dataclasses import asdict
from pathlib import Path

from kuberacer.errors import UserError, run_main
from kuberacer.formats.write import write_atomically
from kuberacer.report import comparison, history
from kuberacer.report.comparison import HEADER, Summary, Trial
from kuberacer.report.html import Page
from kuberacer.rollout.records import HISTORY, PROGRESS
from kuberacer.settings import StoreSettings
from kuberacer.stages.arguments import stage_parser
from kuberacer.stages.executor_output import write_metrics
from kuberacer.store.checkpoints import CheckpointStore
from kuberacer.store.client import ObjectStore


def main() -> None:
    options = arguments()
    store = ObjectStore(StoreSettings.from_environment())
    trials = [read_trial(store, entry) for entry in json.loads(options.trials)]
    summaries = comparison.summarise(trials)
    title = f"Sweep {options.run}"
    write_atomically(options.table, comparison.markdown(title, summaries))
    write_atomically(options.page, page(title, trials, summaries).render())
    write_atomically(options.summary, json.dumps([asdict(summary) for summary in summaries], indent=1) + "\n")
    best = summaries[0]
    if options.executor_output:
        with_lap = sum(summary.with_lap for summary in summaries)
        figures: dict[str, float] = {"settings": len(summaries), "trials": len(trials), "trials_with_lap": with_lap}
        write_metrics(options.executor_output, "metrics", figures)
    print(f"progress: best setting {best.setting}: {best.with_lap} of {best.trials} trials completed a lap", flush=True)


def read_trial(store: ObjectStore, entry: dict) -> Trial:
    """What a trial's last checkpoint keeps of its history. Raises UserError when there is none."""
    manifest = CheckpointStore(store, entry["run"]).find("last")
    if manifest is None:
        raise UserError(f"trial {entry['name']} has no checkpoint in the store", "run the sweep again")
    with tempfile.TemporaryDirectory() as folder:
        for name in (HISTORY, PROGRESS):
            digest, _ = manifest.files[name]
            store.get_file(f"{entry['run']}/objects/{digest}", Path(folder) / name)
        rows = history.read(Path(folder) / HISTORY)
        progress = json.loads((Path(folder) / PROGRESS).read_text(encoding="utf-8"))
    return Trial(entry["name"], entry["setting"], entry["seed"], rows, progress["first_lap_s"])


def page(title: str, trials: list[Trial], summaries: list[Summary]) -> Page:
    best = summaries[0]
    tiles = [(best.setting, "best setting"), (f"{best.with_lap} of {best.trials}", "of its trials completed a lap")]
    if best.best_lap_s:
        tiles.append((f"{best.best_lap_s.text(2)} s", "best lap"))
    rows = [[trial.name, str(trial.seed), _seconds(trial.first_lap_s), _seconds(trial.best_lap_s)] for trial in trials]
    return Page(
        title=title,
        subtitle=f"{len(trials)} trials, {len(summaries)} settings",
        tiles=tiles,
        figures=[
            (
                "Learning curves",
                curves_caption(trials),
                comparison.curves(trials),
            )
        ],
        tables=[
            ("Settings", HEADER, comparison.table(summaries)),
            ("Trials", ["trial", "seed", "first lap", "best lap"], rows),
        ],
    )


def curves_caption(trials: list[Trial]) -> str:
    seeds = {
        setting: ", ".join(str(trial.seed) for trial in trials if trial.setting == setting)
        for setting in dict.fromkeys(trial.setting for trial in trials)
    }
    said = "; ".join(f"{setting}: seeds {of} (n = {of.count(',') + 1})" for setting, of in seeds.items())
    return (
        "Means over the seeds; the bands are 95 % confidence intervals of the mean (Student's t) where two or more "
        f"seeds have a value; lap times are of those that had completed a lap by then. {said}."
    )


def _seconds(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f} s"


def arguments() -> argparse.Namespace:
    parser = stage_parser(
        "compare_sweep",
        __doc__ or "",
        'python -m kuberacer.stages.compare_sweep --trials "$(cat trials.json)" --run my-sweep --table table.md '
        "--page sweep.html --summary summary.json",
    )
    parser.add_argument("--trials", required=True, help="what plan_sweep wrote, JSON text")
    parser.add_argument("--run", required=True, help="name of the sweep")
    parser.add_argument("--table", type=Path, required=True, metavar="OUTPUT", help="Markdown")
    parser.add_argument("--page", type=Path, required=True, metavar="OUTPUT", help="HTML")
    parser.add_argument("--summary", type=Path, required=True, metavar="OUTPUT", help="JSON")
    parser.add_argument("--executor-output", type=Path, metavar="OUTPUT", help="KFP's metrics, JSON")
    return parser.parse_args()


if __name__ == "__main__":
    run_main(main)
