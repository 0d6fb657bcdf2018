"""Publish: the car's archive, the model folder, the model card and the report; all of it also into the object store."""

import argparse
import json
import shutil
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from kuberacer.coach.algorithms import ALGORITHMS
from kuberacer.coach.checkpoint_files import HYPERPARAMETERS, PRESET
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.errors import UserError, run_main
from kuberacer.formats import car_archive
from kuberacer.formats.checkpoints_json import CheckpointEntry, Checkpoints
from kuberacer.formats.policy import FILENAME as POLICY
from kuberacer.formats.policy import ONNX, of_run
from kuberacer.formats.race_result import METRICS, RESULT, RaceResult, TrackResult
from kuberacer.formats.reward_document import DOCUMENT_NAME, is_document
from kuberacer.report import history, model_card
from kuberacer.report import took as taken
from kuberacer.reward.open_reward import language, readable
from kuberacer.reward.source import DEFAULT_NAME
from kuberacer.settings import StoreSettings
from kuberacer.sim.track import Track
from kuberacer.stages.arguments import stage_parser
from kuberacer.stages.leaderboard import update
from kuberacer.stages.report_page import report
from kuberacer.store.client import ObjectStore

INPUT_FILES = (
    "model", "checkpoint", "checks", "reward-file", "track-file", "training-metrics", "history", "summary",
    "training-simtrace", "evaluation-metrics", "evaluation-simtrace", "race-result", "video", "videos",
    "reward-map-png", "environment",
)  # fmt: skip
INPUT_TEXTS = ("track-name", "run")
OUTPUTS = ("archive", "model-folder", "report", "model-card", "model-card-json")


def main() -> None:
    options = arguments()
    track = Track.from_route(np.load(options.track_file, allow_pickle=False), options.track_name)
    race = RaceResult.read(options.race_result / RESULT)
    card = describe(options, track, race)
    car_archive.write_car_archive(options.archive, *for_the_car(options.model))
    make_model_folder(options)
    write(options.model_card_json, json.dumps(card, indent=1) + "\n")
    write(options.model_card, model_card.markdown(card))
    write(options.report, report(options, card, race, track).render())
    upload(options)
    update_leaderboards(race)
    results = card["results"]
    print(f"published {options.run}: {results['laps_completed']} of {results['trials']} laps", flush=True)


def for_the_car(model: Path) -> tuple[bytes, bytes]:
    """(frozen graph, metadata) as the car takes them: it knows clipped_ppo and sac, the others go as one of these.

    It would take the number of any lidar's values from lidar_config.
    """
    graph, text = (model / "model.pb").read_bytes(), (model / "model_metadata.json").read_text(encoding="utf-8")
    metadata = ModelMetadata.parse(text)
    taken = replace(metadata, lidar_config=None) if metadata.lidar in ("LIDAR", "SECTOR_LIDAR") else metadata
    if (known := ALGORITHMS[metadata.algorithm].car) != metadata.algorithm:
        from kuberacer.coach.freeze import for_car  # TensorFlow: seconds that the other algorithms do without

        graph, taken = for_car(graph, metadata), replace(taken, algorithm=known)
    return graph, (text if taken == metadata else taken.to_json()).encode()


def describe(options: argparse.Namespace, track: Track, race: RaceResult) -> dict[str, Any]:
    """The model card's contents. The algorithm is that of the metadata, which a preset decides."""
    summary = json.loads(options.summary.read_text(encoding="utf-8"))
    trials = [trial for result in race.tracks for trial in result.cars[0].trials]
    laps = [trial.seconds for trial in trials if trial.completed]
    reward = options.reward_file.read_text(encoding="utf-8")
    metadata = json.loads((options.model / "model_metadata.json").read_text(encoding="utf-8"))
    preset = options.checkpoint / PRESET
    made_of = {name: getattr(options, name.replace("-", "_")) for name in INPUT_FILES}
    return {
        "run": options.run,
        "algorithm": metadata["training_algorithm"],
        "seed": options.seed,
        "track": {
            "name": track.name,
            "length_m": round(track.length, 3),
            "width_m": round(track.width, 3),
            "digest": track.digest(),
        },
        "results": {
            "trials": len(trials),
            "laps_completed": len(laps),
            "best_lap_s": min(laps) if laps else None,
            "first_lap_s": summary["first_lap_s"],
            "steps": summary["steps"],
            "training_s": summary["seconds"],
            "reward_us": mean_reward_us(history.read(options.history)),
        },
        **({"pretrained": summary["pretrained"]} if "pretrained" in summary else {}),
        "leaderboard": {"name": race.leaderboard_name, "type": race.leaderboard_type, "racer": race.racer},
        "evaluations": [evaluation(race, result) for result in race.tracks],
        "published_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "hyperparameters": used_hyperparameters(options),
        "preset": preset.read_text(encoding="utf-8") if preset.exists() else None,
        "metadata": metadata,
        "reward": readable(reward),
        "reward_language": language(reward),
        "checks": json.loads(options.checks.read_text(encoding="utf-8"))["max_difference"],
        "took": taken.took(options.took),
        "digests": {name: model_card.digest(path) for name, path in made_of.items()},
    }


def evaluation(race: RaceResult, result: TrackResult) -> dict[str, Any]:
    """How the model did on one track, as leaderboards read it."""
    own = result.cars[0]
    counted = [own.best] if own.best else own.trials
    return {
        "track": result.track,
        "race_type": race.race_type,
        "checkpoint": race.checkpoint,
        "trials": len(own.trials),
        "laps_completed": own.laps,
        "best_lap_s": own.best.seconds if own.best else None,
        "fastest_possible_s": result.fastest_s,
        "penalty_s": round(sum(trial.penalty_seconds for trial in counted), 3),
        "resets": sum(trial.resets for trial in counted),
        "progress": max(trial.progress for trial in own.trials),
        "position": own.position,
        "cars": len(result.cars),
    }


def used_hyperparameters(options: argparse.Namespace) -> dict[str, Any]:
    """All that have a value, the defaults too."""
    values = json.loads((options.checkpoint / HYPERPARAMETERS).read_text(encoding="utf-8"))
    return {name: value for name, value in values.items() if value is not None}


def make_model_folder(options: argparse.Namespace) -> None:
    """DeepRacer's `model/`: the checkpoint, the metadata, the frozen graph and which checkpoint is best and last; what
    servers read beside them."""
    folder: Path = options.model_folder
    shutil.copytree(options.checkpoint, folder, dirs_exist_ok=True)
    shutil.copyfile(options.model / "model_metadata.json", folder / "model_metadata.json")
    name = (folder / ".coach_checkpoint").read_text(encoding="utf-8").strip()
    iteration = name.partition("_")[0]
    graph = f"model_{iteration}.pb"
    shutil.copyfile(options.model / "model.pb", folder / graph)
    shutil.copyfile(options.model / ONNX, folder / ONNX)
    policy = (options.model / POLICY).read_text(encoding="utf-8")
    write(folder / POLICY, of_run(policy, options.run, graph))
    best = json.loads(options.summary.read_text(encoding="utf-8"))["best"]
    entry = CheckpointEntry(name, best["progress"], time.time())
    # The folder holds the best checkpoint only: whoever goes on from it goes on from there.
    Checkpoints(best_checkpoint=entry, last_checkpoint=entry).write(folder / "deepracer_checkpoints.json")


def mean_reward_us(rows: list[history.HistoryRow]) -> float | None:
    """Microseconds that the reward took for a car's step; None for a training that did not measure it."""
    steps = np.diff([row.steps for row in rows], prepend=0)
    told = [(row.learning["reward_us"], n) for row, n in zip(rows, steps, strict=True) if "reward_us" in row.learning]
    total = sum(n for _, n in told)
    return round(float(sum(us * n for us, n in told) / total), 2) if total else None


def update_leaderboards(race: RaceResult) -> None:
    """The run is published whatever becomes of these: they can be made again from what is there."""
    try:
        update(ObjectStore(StoreSettings.from_environment()), *dict.fromkeys(["", race.leaderboard_name]))
    except UserError as error:
        print(f"the leaderboard was not made: {error.cause}; `make leaderboard` makes it", flush=True)


def upload(options: argparse.Namespace) -> None:
    """Into the bucket, where DeepRacer's tools look for things under the run's prefix."""
    store = ObjectStore(StoreSettings.from_environment())
    places = {
        "model": options.model_folder,
        "ip/hyperparameters.json": options.checkpoint / "hyperparameters.json",
        "train-output/model.tar.gz": options.archive,
        "metrics/TrainingMetrics.json": options.training_metrics,
        "metrics": options.race_result / METRICS,
        "metrics/EvaluationMetrics.json": options.evaluation_metrics,
        "metrics/race_result.json": options.race_result / RESULT,
        f"evaluation-{time.strftime('%Y%m%d%H%M%S', time.gmtime())}/evaluation-simtrace": options.evaluation_simtrace,
        "training-simtrace": options.training_simtrace,
        "mp4": options.videos,
        "report.html": options.report,
        "model_card.md": options.model_card,
        "model_card.json": options.model_card_json,
        reward_name(options.reward_file): options.reward_file,
        "reward_map.png": options.reward_map_png,
    }
    store.delete_prefix(f"{options.run}/evaluation-")  # of a publication that did not come to its end
    for name, path in places.items():
        for file in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
            below = f"/{file.relative_to(path).as_posix()}" if path.is_dir() else ""
            store.put_file(f"{options.run}/{name}{below}", file)


def reward_name(reward: Path) -> str:
    """DeepRacer's tools look for the former."""
    return DOCUMENT_NAME if is_document(reward.read_text(encoding="utf-8")) else DEFAULT_NAME


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def arguments() -> argparse.Namespace:
    parser = stage_parser(
        "publish", __doc__ or "", "make run-pipeline runs it; its log names every argument of a whole command"
    )
    for name in INPUT_FILES:
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name in INPUT_TEXTS:
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--race", default="", help="DeepRacer's training YAML, text")
    parser.add_argument("--evaluation", default="", help="YAML keys that replace those of --race, text")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument(
        "--took", type=Path, action="append", default=[], help="what a stage before took, as its --usage wrote it"
    )
    for name in OUTPUTS:
        parser.add_argument(f"--{name}", type=Path, required=True, metavar="OUTPUT")
    return parser.parse_args()


if __name__ == "__main__":
    run_main(main)
