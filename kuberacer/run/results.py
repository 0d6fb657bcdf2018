"""What a run leaves in its folder, and the figures that its last lines and run.json say."""

import contextlib
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from kuberacer.errors import UserError
from kuberacer.formats.evaluation_metrics import read_evaluation
from kuberacer.formats.live import about_key
from kuberacer.run.local.artifacts import Artifact
from kuberacer.run.local.cache import Outputs
from kuberacer.run.prices import Prices, cost_of
from kuberacer.run.record import RunRecord
from kuberacer.took import line

if TYPE_CHECKING:
    from kuberacer.settings import StoreSettings

# (stage, output): (name in run.json's outputs, file or folder of the run)
_FILES = {
    ("validate_reward", "reward_file"): ("reward_function", "reward_function.py"),
    ("validate_reward", "track_file"): ("route", "track.npy"),
    ("validate_reward", "reward_map_png"): ("reward_map", "reward_map.png"),
    ("train", "training_metrics"): ("training_metrics", "TrainingMetrics.json"),
    ("train", "history"): ("history", "history.jsonl"),
    ("train", "simtrace"): ("training_simtrace", "training-simtrace"),
    ("train", "videos"): ("training_videos", "training-videos"),
    ("evaluate", "evaluation_metrics"): ("evaluation_metrics", "evaluation_metrics.json"),
    ("evaluate", "video"): ("video", "video.mp4"),
    ("evaluate", "simtrace"): ("simtrace", "simtrace"),
    ("evaluate", "videos"): ("videos", "videos"),
    ("evaluate", "race_result"): ("race_result", "race_result"),
    ("publish", "archive"): ("model", "model.tar.gz"),
    ("publish", "model_folder"): ("model_folder", "model"),
    ("publish", "report"): ("report", "report.html"),
    ("publish", "model_card"): ("model_card", "model_card.md"),
    ("publish", "model_card_json"): ("model_card_json", "model_card.json"),
    ("train_environment", "history"): ("history", "history.jsonl"),
    ("train_environment", "intermediate"): ("intermediate", "intermediate"),
    ("train_environment", "reward_plot"): ("reward_plot", "reward_plot.png"),
    ("train_environment", "plots"): ("plots", "plots"),
    ("evaluate_environment", "evaluation_metrics"): ("evaluation_metrics", "evaluation_metrics.json"),
    ("evaluate_environment", "gifs"): ("evaluation_gifs", "evaluation-gifs"),
    ("train_rllib", "history"): ("history", "history.jsonl"),
    ("train_rllib", "intermediate"): ("intermediate", "intermediate"),
    ("train_rllib", "reward_plot"): ("reward_plot", "reward_plot.png"),
    ("evaluate_rllib", "evaluation_metrics"): ("evaluation_metrics", "evaluation_metrics.json"),
    ("publish_environment", "model_folder"): ("model_folder", "model"),
    ("publish_environment", "model_card"): ("model_card", "model_card.md"),
    ("publish_environment", "model_card_json"): ("model_card_json", "model_card.json"),
    ("publish_environment", "output"): ("output", "output.tar.gz"),
    ("compare_sweep", "page"): ("report", "report.html"),
    ("compare_sweep", "table"): ("table", "sweep.md"),
    ("compare_sweep", "summary"): ("summary", "sweep.json"),
}


TRAINS = ("train", "train_environment", "train_rllib")
EVALUATES = ("evaluate_environment", "evaluate_rllib")


def wanted_artifacts(stage: str) -> set[str]:
    """Those of a stage's artifacts that take_outputs() reads: the others need not be fetched from a cluster."""
    names = {name for of, name in _FILES if of == stage}
    return names | {"summary"} if stage in TRAINS else names


def take_outputs(record: RunRecord, folder: Path, stage: str, outputs: Outputs) -> None:
    """Copy a finished stage's outputs into the run's folder and note its figures."""
    for name, output in outputs.items():
        if (stage, name) in _FILES and isinstance(output, Artifact):
            key, place = _FILES[stage, name]
            if name == "videos" and not any(Path(output.uri).rglob("*.mp4")):
                continue  # none were asked for
            _copy(Path(output.uri), folder / place)
            record.outputs[key] = str((folder / place).resolve())
    if stage in TRAINS:
        summary = json.loads(Path(outputs["summary"].uri).read_text(encoding="utf-8"))
        record.algorithm = summary.get("algorithm", record.algorithm)  # a preset's own
        record.first_lap_s, record.steps = summary.get("first_lap_s"), summary.get("steps")
    if stage == "evaluate":
        trials = read_evaluation(Path(outputs["evaluation_metrics"].uri))
        laps = [trial.elapsed_time_in_milliseconds / 1000 for trial in trials if trial.completed]
        record.trials, record.laps_completed, record.best_lap_s = len(trials), len(laps), min(laps, default=None)
    if stage in EVALUATES:
        figures = json.loads(Path(outputs["evaluation_metrics"].uri).read_text(encoding="utf-8"))
        record.trials, record.mean_return = figures["episodes"], figures["mean_return"]


def keep_for_watchers(settings: "StoreSettings", run: str, folder: Path) -> None:
    """What the live view shows of a run whose store is gone: what was trained, and how far that came when it stopped.

    Best effort: nothing else needs it."""
    from kuberacer.store.checkpoints import CheckpointStore  # not at the top: boto3 is slow to import
    from kuberacer.store.client import ObjectStore

    with contextlib.suppress(UserError, OSError):
        store = ObjectStore(settings, timeout_s=10, attempts=1)
        store.get_file(about_key(run), folder / "about.json")
        last = CheckpointStore(store, run).find("last")
        if last is not None and "history.jsonl" in last.files:
            store.get_file(f"{run}/objects/{last.files['history.jsonl'][0]}", folder / "history.jsonl")


def _copy(source: Path, place: Path) -> None:
    """Copies, not links: who edits a run's files must not edit what other runs are given from the cache."""
    if place.is_dir():
        shutil.rmtree(place)
    if source.is_dir():
        shutil.copytree(source, place)
        return
    part = place.with_name(f".{place.name}.part")
    shutil.copyfile(source, part)
    part.replace(place)


def _cost(record: RunRecord) -> str:
    """What KUBERACER_PRICES makes of it."""
    found = Prices.given(None)
    if found is None:
        return ""
    cost = cost_of(record.took(), found[0], record.remote is not None, None)
    left_out = ", ".join(["storage", *(part.what for part in cost.missing)])
    return f"; cost: {cost.total:.4f} {found[0].currency} without {left_out}"


def closing_lines(record: RunRecord, folder: Path) -> list[str]:
    """The last lines that a person reads."""
    took = f"took: {line(record.took())}{_cost(record)}"
    if record.pipeline == "sweep":
        rows = (folder / "sweep.md").read_text(encoding="utf-8").splitlines()
        return [*(row for row in rows if row.startswith("|")), took, f"report: {folder / 'report.html'}"]
    if record.mean_return is not None:
        told = f"return {record.mean_return:.2f} over {record.trials} episodes"
        places = {"model": "model", "card": "model_card.md", "plot": "reward_plot.png", "csv, gifs": "intermediate"}
        return [took, told, *(f"{name + ':':<11}{folder / file}" for name, file in places.items())]
    laps = f"laps completed: {record.laps_completed} of {record.trials}"
    if record.best_lap_s is not None:
        laps += f", best lap {record.best_lap_s:.2f} s"
    places = {"model": "model.tar.gz", "report": "report.html", "video": "video.mp4"}
    return [took, laps, *(f"{name + ':':<8}{folder / file}" for name, file in places.items())]
