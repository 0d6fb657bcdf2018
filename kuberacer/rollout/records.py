"""What a training writes down beside its checkpoints, and continues when resumed: history, metrics, sim traces."""

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from kuberacer.formats import simtrace
from kuberacer.formats.training_metrics import TrainingMetric, TrainingMetrics
from kuberacer.formats.write import write_atomically
from kuberacer.report import history
from kuberacer.rollout.laps import Lap
from kuberacer.rollout.trace import Played
from kuberacer.rollout.trainer import Iteration, Progress
from kuberacer.sim.episode import STATUS_NAMES

HISTORY, METRICS, PROGRESS = "history.jsonl", "TrainingMetrics.json", "progress.json"
TRACES = "training-simtrace"


class TrainingRecords:
    """The files of any training in `folder`: HISTORY and PROGRESS, and what `names` has beside them."""

    names: tuple[str, ...] = (HISTORY, PROGRESS)

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def progress(self) -> Progress:
        """Where the training stands; a fresh one where nothing was written yet."""
        path = self.folder / PROGRESS
        return Progress.from_json(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else Progress()

    def files(self) -> list[Path]:
        """What a checkpoint takes along so that a resumed training continues the records."""
        return [self.folder / name for name in self.names]

    def restore(self, folder: Path) -> None:
        """Take over the records that a checkpoint brought."""
        for name in self.names:
            shutil.copyfile(folder / name, self.folder / name)

    def history(self) -> list[history.HistoryRow]:
        path = self.folder / HISTORY
        return history.read(path) if path.exists() else []

    def begin(self, progress: Progress) -> None:
        """Write down a training that has done nothing yet, but has a model."""
        history.write(self.folder / HISTORY, [])
        write_atomically(self.folder / PROGRESS, json.dumps(progress.to_json()))

    def add(self, turn: Iteration, progress: Progress) -> None:
        rows = self.history() if turn.lap is None else []
        history.append(self.folder / HISTORY, history_row(turn, rows[-1] if rows else None))
        write_atomically(self.folder / PROGRESS, json.dumps(progress.to_json()))


class Records(TrainingRecords):
    """The files of one training in `folder`: HISTORY, METRICS, PROGRESS and simtrace/N-iteration.csv, N from 0."""

    names = (HISTORY, METRICS, PROGRESS)

    def __init__(self, folder: Path, best_model_metric: str = "progress"):
        super().__init__(folder)
        self.best_model_metric = best_model_metric
        metrics = folder / METRICS
        self.metrics = TrainingMetrics.read(metrics) if metrics.exists() else TrainingMetrics()
        self.metrics.best_model_metric = best_model_metric

    def next_episode(self) -> int:
        """The number of the first episode that has no record yet."""
        return max((m.episode for m in self.metrics.metrics if m.phase == "training"), default=0)

    def begin(self, progress: Progress) -> None:
        self.metrics.write(self.folder / METRICS)
        super().begin(progress)

    def restore(self, folder: Path) -> None:
        super().restore(folder)
        self.metrics = TrainingMetrics.read(self.folder / METRICS)
        self.metrics.best_model_metric = self.best_model_metric

    def add(self, turn: Iteration, progress: Progress) -> None:
        super().add(turn, progress)
        self.metrics.metrics += [
            TrainingMetric.of(
                "training",
                episode=episode.number + 1,
                trial=trial,
                reward=episode.reward,
                started=episode.started,
                sim_seconds=episode.sim_seconds,
                progress=episode.progress or 0.0,
                status=episode.status,
            )
            for trial, episode in enumerate(turn.finished, start=1)
        ]
        if turn.lap is not None:
            self._add_lap(turn.episodes, len(turn.finished), turn.lap)
        self.metrics.write(self.folder / METRICS)

    def set_lap(self, iteration: int, lap: Lap) -> None:
        """Bring the lap of an iteration that was added without one."""
        rows = self.history()
        for i, row in enumerate(rows):
            if row.iteration == iteration:
                rows[i] = replace(row, **lap_columns(lap))
                self._add_lap(row.episodes, row.episodes_here, lap)
        history.write(self.folder / HISTORY, rows)
        self.metrics.write(self.folder / METRICS)

    def _add_lap(self, episodes: int, trial: int, lap: Lap) -> None:
        """trial: as of the iteration's last training episode, as DeepRacer counts on in training alone."""
        self.metrics.metrics.append(
            TrainingMetric.of(
                "evaluation",
                episode=episodes,
                trial=trial,
                reward=lap.reward or 0.0,  # without that, the laps were driven without the reward function
                started=time.time(),
                sim_seconds=lap.seconds,
                progress=lap.progress,
                status=lap.status,
            )
        )

    def write_trace(self, iteration: int, trace: Played, track_length: float) -> dict[str, Path]:
        """The file, by its key in the store. As DeepRacer counts: the first iteration, which the untrained
        policy 0 plays, is 0-iteration.csv."""
        path = self.folder / "simtrace" / f"{iteration - 1}-iteration.csv"
        simtrace.write_trace(path, trace_rows(trace, track_length))
        return {f"{TRACES}/{path.name}": path}


def lap_columns(lap: Lap) -> dict[str, Any]:
    return {"lap_completed": lap.completed, "lap_progress": lap.progress, "lap_seconds": lap.seconds}


def history_row(turn: Iteration, before: history.HistoryRow | None = None) -> history.HistoryRow:
    """before: the row before, whose lap stands until this iteration's is known."""
    if turn.lap is not None:
        lap = lap_columns(turn.lap)
    else:
        unknown = {"lap_completed": False, "lap_progress": 0.0, "lap_seconds": 0.0}
        lap = {name: getattr(before, name) if before else value for name, value in unknown.items()}
    return history.HistoryRow(
        iteration=turn.iteration,
        seconds=round(turn.seconds, 3),
        steps=turn.steps,
        episodes=turn.episodes,
        episodes_here=len(turn.finished),
        mean_return=turn.mean_return,
        completion=turn.mean_progress,
        laps=turn.laps,
        **lap,
        steps_per_second=turn.steps / turn.seconds,
        play_seconds=turn.play_seconds,
        learn_seconds=turn.learn_seconds,
        lap_wall_seconds=turn.lap_seconds,
        learning={name: float(value) for name, value in turn.learning.items()},
        freeze_seconds=turn.freeze_seconds,
        save_seconds=turn.save_seconds,
        wait_seconds=turn.wait_seconds,
    )


def trace_rows(trace: Played, track_length: float):
    """The recorder's steps as rows of DeepRacer's sim trace."""
    for row, action in trace.in_order():
        yield simtrace.TraceRow(
            episode=int(row["episode"]),
            steps=int(row["steps"]),
            x=float(row["x"]),
            y=float(row["y"]),
            yaw=float(row["heading"]),
            steer=float(row["steering"]),
            throttle=float(row["speed"]),
            action=tuple(action.tolist()) if action.ndim else int(action),
            reward=float(row["reward"]),
            done=bool(row["done"]),
            all_wheels_on_track=bool(row["all_wheels_on_track"]),
            progress=float(row["progress"]),
            closest_waypoint=int(row["closest_waypoint"]),
            track_len=track_length,
            tstamp=float(row["sim_time"]),
            episode_status=STATUS_NAMES[row["status"]],
            pause_duration=0.0,
            obstacle_crash_counter=0,
            wall_clock=float(row["wall_clock"]),
        )
