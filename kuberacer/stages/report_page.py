"""The report of a run: what publish puts on its page."""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from kuberacer.coach.metadata import ModelMetadata
from kuberacer.formats import simtrace
from kuberacer.formats.race_result import RaceResult, TrackResult
from kuberacer.formats.trace_columns import read_columns
from kuberacer.formats.training_metrics import TrainingMetrics
from kuberacer.report import episode_paths, history, html, learning_plots, plots, races, track_plots
from kuberacer.report import took as taken
from kuberacer.report.sectors import SECTOR_HEADER, Sectors, SectorTimes, sector_times
from kuberacer.report.training_steps import Steps, read_steps
from kuberacer.sim.track import Track

LEARNING = (
    "Lines: means over the episodes that ended in an iteration; bands and bars: the middle 80 % of those episodes "
    "(10th to 90th percentile) of this one training with its one seed. Training episodes explore, the lap after each "
    "iteration does not."
)
SECTORS_SAID = (
    "Equal parts of the centre line from the start line, in the route's direction, named by how they bend. Training's "
    "end: the mean pace of the last tenth of the iterations. Times hold penalties."
)
Table = tuple[str, list[str], list[list[str]]]


def report(options: argparse.Namespace, card: dict[str, Any], race: RaceResult, trained: Track) -> html.Page:
    """options: publish's arguments; card: the model card; trained: the track of the training."""
    rows = history.read(options.history)
    track = evaluated_track(options.race_result, race)
    place = first_cars_trace(options.evaluation_simtrace, race)
    trace, fastest = best_trial(place, race), fastest_way(options.race_result)
    training = read_steps(options.training_simtrace)
    trials = Steps.arranged(read_columns(place), 1)
    same = track.digest() == trained.digest()
    episodes = learning_plots.by_iteration(rows, TrainingMetrics.read(options.training_metrics))
    sectors = sectors_of(trained, training, track, trials, race, fastest)
    way = None if fastest is None else fastest[:, :2]
    return html.Page(
        title=options.run,
        subtitle=subtitle(options, card),
        tiles=tiles(card["results"], card["reward_language"], race),
        figures=[
            ("Learning", LEARNING, learning_plots.curves(rows, episodes)),
            ("Learner", learner_caption(card["algorithm"]), learning_plots.learner(rows, card["algorithm"])),
            ("Path", f"The best trial of the evaluation, on {track.name}.", plots.path_on_track(track, trace, way)),
            ("Trials", "Where their time went. Pale: without a lap.", plots.trial_times(race.tracks)),
            episode_paths.section(trained, training, trials if same else None),
            ("Speed and steering", "Along the best trial.", plots.speed_along_lap(trace)),
            ("Actions", "How often each was chosen.", actions(options, training, trials)),
            ("Reward by place", f"Mean over {training.said()}.", track_plots.reward_by_place(trained, training)),
            ("Where episodes ended", f"Of {training.said()}.", track_plots.ends_by_place(trained, training)),
            *((f"Sectors{where}", SECTORS_SAID, track_plots.sector_map(on, times.sectors, times.speeds()))
              for where, on, times in sectors),
            ("Where the time went", "Of each iteration.", learning_plots.time_spent(rows)),
            ("Reward map", "What the reward function gives where on the track.", options.reward_map_png.read_bytes()),
        ],
        tables=[
            *races.tables(race),
            *((f"Sectors{where}", SECTOR_HEADER, times.table()) for where, _, times in sectors),
            ("Where the time went", ["part", "time", "share", "an iteration"], learning_plots.time_table(rows)),
            *made_of(card),
        ],
        texts=[
            ("Reward function", card["reward"]),
            *([("Preset", card["preset"])] if card["preset"] else []),
            ("Metadata", json.dumps(card["metadata"], indent=2)),
        ],
        video=options.video.read_bytes(),
    )  # fmt: skip


def subtitle(options: argparse.Namespace, card: dict[str, Any]) -> str:
    track = card["track"]
    return f"{track['name']} · {track['length_m']:.1f} m · {card['algorithm']} · seed {options.seed}"


def tiles(results: dict[str, Any], language: str, race: RaceResult) -> list[tuple[str, str]]:
    return [
        (f"{results['laps_completed']} of {results['trials']}", "laps completed"),
        (seconds(results["best_lap_s"]), "best lap, with penalties"),
        *yardstick(race.tracks[0]),
        (seconds(results["first_lap_s"]), "training until the first lap"),
        (f"{results['steps']:,}", "environment steps"),
        (f"{results['steps'] / max(results['training_s'], 1e-9):.0f}", "steps a second"),
        (seconds(results["training_s"]), "training"),
        *reward_cost(results["reward_us"], language),
    ]


def made_of(card: dict[str, Any]) -> list[Table]:
    checks = [[name, f"{value:.2g}"] for name, value in card["checks"].items()]
    return [
        ("Hyperparameters", ["name", "value"], [[k, str(v)] for k, v in card["hyperparameters"].items()]),
        taken.table(card["took"]),
        ("Frozen graph against the live policy", ["runtime", "largest difference"], checks),
        ("What made it", ["input", "sha256"], [[name, value] for name, value in card["digests"].items()]),
    ]


def learner_caption(algorithm: str) -> str:
    said = "What the learner reports of each iteration."
    return (
        said
        if algorithm in learning_plots.WITH_DISTRIBUTION
        else f"{said} The policy of {algorithm} is no distribution."
    )


def actions(options: argparse.Namespace, training: Steps, trials: Steps) -> bytes:
    metadata = ModelMetadata.parse((options.model / "model_metadata.json").read_text(encoding="utf-8"))
    groups = [("training", training), ("training's end", training.end), ("evaluation", trials)]
    space = metadata.action_space
    discrete = [(a.steering_angle, a.speed) for a in space] if isinstance(space, tuple) else None
    return track_plots.actions(groups, discrete)


def sectors_of(
    trained: Track, training: Steps, track: Track, trials: Steps, race: RaceResult, fastest: np.ndarray | None
) -> list[tuple[str, Track, SectorTimes]]:
    """(on which track, for titles; the track; its times): one where the model was evaluated where it was trained."""
    results = race.tracks[0].cars[0].trials
    driven: dict[str, Any] = {
        "trials": trials,
        "best": best_of(race),
        "completed": np.array([trial.completed for trial in results]),
        "continuous": race.continuous,
        "fastest": fastest,
    }
    if track.digest() == trained.digest():
        return [("", track, sector_times(Sectors(track), training.end, **driven))]
    return [
        (f" of {trained.name}, training", trained, sector_times(Sectors(trained), training.end)),
        (f" of {track.name}, evaluation", track, sector_times(Sectors(track), **driven)),
    ]


def evaluated_track(folder: Path, race: RaceResult) -> Track:
    """The first track of the evaluation."""
    return Track.from_route(np.load(folder / "0-track.npy", allow_pickle=False), race.tracks[0].track)


def fastest_way(folder: Path) -> np.ndarray | None:
    """The fastest lap on that track (n, 4): x, y, m/s, s."""
    path = folder / "0-fastest.npy"
    return np.load(path, allow_pickle=False) if path.exists() else None


def reward_cost(us: float | None, language: str) -> list[tuple[str, str]]:
    """The tile of what the reward cost."""
    return [] if us is None else [(f"{us:.1f} µs", f"the reward in {language}, for a step of a car")]


def yardstick(result: TrackResult) -> list[tuple[str, str]]:
    """The tile of the lap that the simulator's limits allow, and how near to it the best one is."""
    if result.fastest_s is None:
        return []
    best = result.cars[0].best
    of = f", the best one took {best.seconds / result.fastest_s:.2f}×" if best else ""
    return [(seconds(result.fastest_s), f"fastest possible lap on {result.track}{of}")]


def first_cars_trace(folder: Path, race: RaceResult) -> Path:
    """The sim trace of the model's trials on the first track."""
    return (folder / "agent_0" if len(race.tracks[0].cars) > 1 else folder) / "0-iteration.csv"


def best_trial(path: Path, race: RaceResult) -> list[simtrace.TraceRow]:
    """The rows of the best trial."""
    return list(simtrace.episodes(simtrace.read_trace(path))[best_of(race)])


def best_of(race: RaceResult) -> int:
    """Which trial on the first track came furthest, in the shortest time among equals."""
    order = [(trial.progress, -trial.seconds) for trial in race.tracks[0].cars[0].trials]
    return order.index(max(order))


def seconds(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f} s"
