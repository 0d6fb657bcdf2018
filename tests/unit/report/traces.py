"""Traces of real driving, with what the reward function was told at every step."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from kuberacer.coach.metadata import ModelMetadata
from kuberacer.formats import simtrace
from kuberacer.rollout.records import trace_rows
from kuberacer.rollout.trace import TraceRecorder
from kuberacer.sim.episode import SimConfig
from kuberacer.sim.params import ParamArrays, array_keys
from kuberacer.sim.race_sim import RaceSim
from kuberacer.sim.track import Track

Told = list[dict[str, np.ndarray]]


def drive(
    folder: Path,
    track: Track,
    reward: Callable[[ParamArrays], np.ndarray],
    rules: SimConfig | None = None,
    metadata: ModelMetadata | None = None,
    cars: int = 6,
    steps: int = 120,
    iterations: int = 2,
) -> Told:
    """Cars that seldom change their mind, written as N-iteration.csv, N from 0; episodes go on from file to file.

    Returns the parameters of every step in the order of the files' lines."""
    metadata = metadata or ModelMetadata.default("clipped_ppo")
    sim, random = RaceSim(track, cars, seed=4, config=rules or SimConfig()), np.random.default_rng(5)
    sim.reset()
    episode, told = np.arange(cars), []
    actions = draw(metadata, random, cars)
    for iteration in range(1, iterations + 1):
        recorder, here = TraceRecorder(cars), []
        for _ in range(steps):
            change = random.random(cars) < 0.2
            actions[change] = draw(metadata, random, cars)[change]
            steering, speed = metadata.decode(actions)
            sim.advance(steering, speed)
            done = sim.terminated | sim.truncated
            recorder.record(sim, episode, actions, steering, speed, reward(sim.values), done)
            keys = array_keys(sim.values.objects)
            here += [{key: getattr(sim.values, key)[car].copy() for key in keys} for car in range(cars)]
            if done.any():
                episode[done] = episode.max() + 1 + np.arange(done.sum())
                sim.reset(done)
        rows = recorder.rows[: recorder.length].ravel()
        told += [here[i] for i in np.lexsort((rows["steps"], rows["episode"]))]
        simtrace.write_trace(folder / f"{iteration - 1}-iteration.csv", trace_rows(recorder, track.length))
    return told


def draw(metadata: ModelMetadata, random: np.random.Generator, cars: int) -> np.ndarray:
    if metadata.continuous:
        return random.uniform(-1, 1, (cars, 2)).astype(np.float32)
    return random.integers(0, len(metadata.action_space), cars)  # type: ignore[arg-type]
