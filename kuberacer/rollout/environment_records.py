"""What a training on any environment writes down: history, rl_coach's CSV, pictures of episodes.

The CSV has the name and the columns that rl_coach's own logger gives it, so that its plots and notebooks read it.
"""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from kuberacer.rollout.environment_play import Film
from kuberacer.rollout.records import HISTORY, PROGRESS, TrainingRecords
from kuberacer.rollout.trainer import Iteration, Progress

CSV = "worker_0.simple_rl_graph.main_level.main_level.agent_0.csv"
COLUMNS = (
    "Episode #", "Training Iter", "Epoch", "In Heatup", "Episode Length", "Total steps", "Epsilon",
    "Shaped Training Reward", "Training Reward", "Update Target Network", "Wall-Clock Time", "Evaluation Reward",
    "Shaped Evaluation Reward", "Success Rate", "Loss/Mean",
)  # fmt: skip
GIFS = "gifs"
FRAME_MS = 40


class EnvironmentRecords(TrainingRecords):
    """The files of one training in `folder`: HISTORY, PROGRESS, CSV, and gifs/ beside them."""

    names = (HISTORY, PROGRESS, CSV)

    def next_episode(self) -> int:
        """The number of the first episode that has no record yet."""
        return 1 + max((int(row["Episode #"]) for row in self.rows() if row["Training Reward"]), default=-1)

    def rows(self) -> list[dict[str, str]]:
        """Of the CSV; texts, '' where a column has no value."""
        path = self.folder / CSV
        if not path.exists():
            return []
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def add(self, turn: Iteration, progress: Progress) -> None:
        path = self.folder / CSV
        fresh = not path.exists()
        with path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            if fresh:
                writer.writeheader()
            writer.writerows(_rows_of(turn))
        super().add(turn, progress)


def _rows_of(turn: Iteration) -> list[dict[str, object]]:
    """One for each episode that ended, and one with the evaluation, as rl_coach has them."""
    common: dict[str, object] = {"Training Iter": turn.iteration, "Epoch": 0, "In Heatup": 0, "Total steps": turn.steps}
    if "epsilon" in turn.learning:
        common["Epsilon"] = turn.learning["epsilon"]
    rows: list[dict[str, object]] = [
        {
            **common,
            "Episode #": episode.number,
            "Episode Length": episode.steps,
            "Training Reward": episode.reward,
            "Shaped Training Reward": episode.reward,
            "Wall-Clock Time": round(turn.seconds, 3),
        }
        for episode in sorted(turn.finished, key=lambda each: each.number)
    ]
    evaluated: dict[str, object] = {**common, "Episode #": turn.episodes, "Wall-Clock Time": round(turn.seconds, 3)}
    if turn.lap is not None:
        evaluated |= {"Evaluation Reward": turn.lap.reward, "Shaped Evaluation Reward": turn.lap.reward}
    if "loss" in turn.learning:
        evaluated["Loss/Mean"] = turn.learning["loss"]
    return [*rows, evaluated]


def gif_name(episode: int, score: float) -> str:
    """As rl_coach names them, without its date: one name, one episode."""
    return f"episode-{episode}_score-{score:.2f}.gif"


def write_gif(path: Path, film: Film) -> None:
    """The film's pictures, 25 a second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    first, *rest = [Image.fromarray(np.ascontiguousarray(picture)) for picture in film.pictures]
    first.save(path, save_all=True, append_images=rest, duration=FRAME_MS, loop=0, optimize=False)
