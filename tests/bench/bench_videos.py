"""Rollouts with every iteration filmed and one drawn beside them, against rollouts without: one process, in turns."""

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from kuberacer.coach.build import build_agent
from kuberacer.coach.hyperparameters import Hyperparameters
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.report.film import VIEWS, Pictures, film_views
from kuberacer.report.recording import Recording
from kuberacer.rollout.collector import Collector
from kuberacer.rollout.training_videos import Lookout, TrainingVideos
from kuberacer.sim.race_sim import RaceSim
from kuberacer.sim.track import load_track

CARS, STEPS = 32, 64  # of an iteration with the default hyperparameters
ROUNDS = 6


class Plays:
    """An agent that acts and does not learn."""

    def __init__(self, agent):
        self.agent, self.iteration, self.left = agent, 0, 0

    def act(self, observations):
        self.left -= 1
        return self.agent.act(observations)

    def observe(self, *_):
        pass

    def iteration_complete(self) -> bool:
        return self.left <= 0

    def begin(self) -> None:
        self.iteration, self.left = self.iteration + 1, STEPS


class Nowhere:
    """A store that takes everything."""

    def put_file(self, key: str, path: Path, content_type: str) -> None:
        pass


def figures() -> dict[str, float]:
    track, metadata = load_track("kidney"), ModelMetadata.parse(None)
    agent = build_agent(metadata, Hyperparameters.parse("", "clipped_ppo"), cars=CARS, seed=1)
    plays, lookout = Plays(agent), Lookout(0)
    collector = Collector(
        RaceSim(track, CARS), lambda values: np.ones(CARS), plays, metadata, agent.stack_size, lookout=lookout
    )

    def play(every: int) -> tuple[float, float]:
        """Seconds of an iteration by the wall, and of this thread's processor."""
        lookout.every = every
        plays.begin()
        wall, own = time.perf_counter(), time.thread_time()
        collector.play()
        return time.perf_counter() - wall, time.thread_time() - own

    play(0)
    ratios, rates = [], []
    with tempfile.TemporaryDirectory() as work, TrainingVideos("bench", Path(work), Nowhere(), print) as videos:
        for _ in range(ROUNDS):
            plain, filmed = [play(0) for _ in range(3)], [play(1)]
            made = lookout.recording(track, collector.trace.rows[:, 0], plays.iteration)
            videos.draw(plays.iteration, made)
            while videos._under_way[1].is_alive():
                filmed.append(play(1))
            plain += [play(0) for _ in range(3)]
            (wall, own), (wall_filmed, own_filmed) = medians(plain), medians(filmed)
            ratios.append((wall / wall_filmed, own / own_filmed))
            rates.append(CARS * STEPS / wall)
    agent.close()
    by_wall, by_own = medians(ratios)
    return {
        "videos_rollouts_filmed_vs_plain": by_wall,
        "videos_rollouts_filmed_vs_plain_own_processor": by_own,
        "videos_rollouts_plain_steps_per_s": statistics.median(rates),
        **drawing(made),
    }


def medians(pairs: list[tuple[float, float]]) -> list[float]:
    return [statistics.median(values) for values in zip(*pairs, strict=True)]


def drawing(made: Recording) -> dict[str, float]:
    """Frames a processor's second: drawn, and drawn and encoded."""
    found = {}
    for views in (*((view,) for view in VIEWS), VIEWS):
        name = views[0] if len(views) == 1 else "all"
        pictures, clock = Pictures(made, views), time.process_time()
        for step in range(len(made)):
            pictures.at(step)
        found[f"videos_{name}_drawn_frames_per_s"] = len(made) / (time.process_time() - clock)
        with tempfile.TemporaryDirectory() as folder:
            clock = time.process_time()
            film_views(made, {view: Path(folder) / f"{view}.mp4" for view in views})
        found[f"videos_{name}_frames_per_s"] = (len(made) + 14) / (time.process_time() - clock)
    return found
