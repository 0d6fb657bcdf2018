"""What a training with RLlib writes down, and goes on from: history, RLlib's progress.csv, every episode."""

import csv
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kuberacer.formats.write import write_atomically
from kuberacer.report import history
from kuberacer.rllib.algorithm import MODULE, Turn

HISTORY, PROGRESS, CSV, EPISODES = "history.jsonl", "progress.json", "progress.csv", "episodes.csv"
EPISODE_COLUMNS = ("episode", "steps", "return", "length")  # steps: of the training at the end of its iteration
LEARNED = ("total_loss", "policy_loss", "vf_loss", "vf_explained_var", "entropy", "mean_kl_loss", "curr_kl_coeff")
# The names of Ray Tune's progress.csv.
COLUMNS = (
    "training_iteration", "num_env_steps_sampled_lifetime", "time_total_s", "env_runners/num_episodes",
    "env_runners/episode_return_mean", "env_runners/episode_return_min", "env_runners/episode_return_max",
    "env_runners/episode_len_mean", *(f"learners/{MODULE}/{name}" for name in LEARNED),
)  # fmt: skip


@dataclass
class Progress:
    """Where a training stands. best: of the means over the last hundred episodes; what was the latest of the best."""

    iteration: int = 0
    seconds: float = 0.0
    steps: int = 0
    episodes: int = 0
    best: float | None = None
    best_iteration: int | None = None


class Records:
    """The files of one training in `folder`."""

    names = (HISTORY, PROGRESS, CSV, EPISODES)

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def progress(self) -> Progress:
        path = self.folder / PROGRESS
        return Progress(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else Progress()

    def restore(self, folder: Path) -> None:
        """Take over the records that a checkpoint brought."""
        for name in self.names:
            shutil.copyfile(folder / name, self.folder / name)

    def copy(self, folder: Path) -> None:
        for name in self.names:
            shutil.copyfile(self.folder / name, folder / name)

    def add(self, turn: Turn, progress: Progress) -> None:
        returns = [value for value, _ in turn.episodes]
        lengths = [length for _, length in turn.episodes]
        mean = sum(returns) / len(returns) if returns else None
        row = history.HistoryRow(
            iteration=progress.iteration,
            seconds=round(progress.seconds, 3),
            steps=progress.steps,
            episodes=progress.episodes,
            episodes_here=len(returns),
            mean_return=mean,
            completion=None,
            laps=0,
            lap_completed=False,
            lap_progress=0.0,
            lap_seconds=0.0,
            steps_per_second=progress.steps / progress.seconds,
            play_seconds=turn.play_seconds,
            learn_seconds=turn.learn_seconds,
            lap_wall_seconds=0.0,
            learning={name: turn.learning[name] for name in LEARNED if name in turn.learning},
        )
        history.append(self.folder / HISTORY, row)
        first = progress.episodes - len(returns)
        self._append(
            EPISODES,
            EPISODE_COLUMNS,
            [
                dict(zip(EPISODE_COLUMNS, (first + i, progress.steps, value, length), strict=True))
                for i, (value, length) in enumerate(turn.episodes)
            ],
        )
        told = (
            progress.iteration, progress.steps, round(progress.seconds, 3), len(returns), mean,
            min(returns, default=None), max(returns, default=None), sum(lengths) / len(lengths) if lengths else None,
            *(turn.learning.get(name) for name in LEARNED),
        )  # fmt: skip
        self._append(CSV, COLUMNS, [dict(zip(COLUMNS, told, strict=True))])
        write_atomically(self.folder / PROGRESS, json.dumps(asdict(progress)))

    def plotted(self) -> list[dict[str, str]]:
        """Every episode, as reward_plot takes them."""
        with (self.folder / EPISODES).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return [
            {"Total steps": row["steps"], "Training Reward": row["return"], "Evaluation Reward": ""} for row in rows
        ]

    def _append(self, name: str, columns: tuple[str, ...], rows: Iterable[Mapping[str, Any]]) -> None:
        fresh = not (self.folder / name).exists()
        with (self.folder / name).open("a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns)
            if fresh:
                writer.writeheader()
            writer.writerows(rows)
