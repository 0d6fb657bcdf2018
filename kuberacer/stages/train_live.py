"""What those who watch a training are told of it: kuberacer.formats.live, from the stage's own arguments."""

import argparse

from kuberacer.coach.hyperparameters import Hyperparameters
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.formats.live import outline
from kuberacer.formats.race_config import RaceConfig
from kuberacer.rollout.live import Live
from kuberacer.rollout.trainer import Budget, Iteration, Progress
from kuberacer.sim.track import Track
from kuberacer.store.client import ObjectStore


def watched(
    options: argparse.Namespace,
    store: ObjectStore,
    track: Track,
    race: RaceConfig,
    metadata: ModelMetadata,
    hyper: Hyperparameters,
    reward: str,
) -> Live:
    """A training that can be watched."""
    about = {
        "run": options.run,
        "track": outline(
            track.name, track.length, track.width, track.closed,
            center=track.center, inner=track.inner, outer=track.outer,
        ),
        "race_type": race.race_type,
        "algorithm": metadata.algorithm,
        "seed": options.seed,
        "settings": {
            "minutes": options.minutes,
            "steps": options.steps,
            "cars": options.cars_per_worker if options.rollout_workers else options.cars,
            "rollout_workers": options.rollout_workers,
            "hyperparameters": {name: value for name, value in hyper.values.items() if value is not None},
            "metadata": metadata.to_json(),
            "reward": reward,
            "race": options.race,
        },
    }  # fmt: skip
    return Live(store, options.run, about, 60 * options.minutes or None)


def tell(live: Live, turn: Iteration, progress: Progress, budget: Budget) -> None:
    """An iteration has ended."""
    used = budget.used(progress.seconds, turn.steps)
    left = progress.seconds * (1 - used) / used if used else None
    live.turned(turn.iteration, turn.steps / max(progress.seconds, 1e-9), left)
