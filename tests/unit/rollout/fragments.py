"""Fragments made up for tests."""

import numpy as np

from kuberacer.rollout.fragment import ENDS, Fragment, Tag
from kuberacer.rollout.trace import TraceRecorder
from kuberacer.sim.camera import HEIGHT, WIDTH
from kuberacer.sim.solid_kernels import OBJECT


def made_up(
    time: int = 4,
    cars: int = 2,
    *,
    tag: Tag = Tag("s", "w", 0, 0),  # noqa: B008
    depth: int = 1,
    continuous: bool = False,
    cut: int = 0,
    ends: int = 0,
    noise: bool = False,
    views: int = 1,
    lidar: int = 0,
    objects: int = 0,
    seed: int = 0,
) -> Fragment:
    """lidar: its values. cut: so many of the steps of car 0, from the first on, cut its episode."""
    rng = np.random.default_rng(seed)
    truncated = np.zeros((time, cars), bool)
    truncated[:cut, 0] = True
    trace = np.zeros((time, cars), TraceRecorder.FIELDS)
    trace["episode"] = np.arange(cars)
    trace["steps"] = 1 + np.arange(time)[:, None]
    ended = np.zeros(ends, ENDS)
    ended["number"] = np.arange(ends)
    return Fragment(
        tag=tag,
        frames=rng.integers(0, 256, (time + 1, cars, views, HEIGHT, WIDTH), dtype=np.uint8),
        history=rng.integers(0, 256, (cars, HEIGHT, WIDTH, views * (depth - 1)), dtype=np.uint8),
        finals=rng.integers(0, 256, (cut, views, HEIGHT, WIDTH), dtype=np.uint8),
        lidar=rng.random((time + 1, cars, lidar), np.float32) if lidar else None,
        final_lidar=rng.random((cut, lidar), np.float32) if lidar else None,
        final_at=np.array([(row, 0) for row in range(cut)], np.int32).reshape(-1, 2),
        actions=rng.normal(size=(time, cars, 2)).astype(np.float32)
        if continuous
        else rng.integers(0, 5, (time, cars)).astype(np.int32),
        policy=rng.random((time, cars, 2 if continuous else 5)).astype(np.float32),
        deviation=rng.random((time, cars, 2)).astype(np.float32) if continuous else None,
        log_probability=rng.normal(size=(time, cars)).astype(np.float32),
        rewards=rng.normal(size=(time, cars)),
        terminated=np.zeros((time, cars), bool),
        truncated=truncated,
        ends=ended,
        trace=trace,
        objects=np.ones((time, objects), OBJECT) if objects else None,
        reward_seconds=0.25,
        noise_seed=7 if noise else None,
        noise_episode=np.zeros((time + 1, cars), np.int64) if noise else None,
        noise_step=np.zeros((time + 1, cars), np.int64) if noise else None,
    )
