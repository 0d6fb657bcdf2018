"""What every car did at every step of an iteration, kept as arrays and written as DeepRacer's sim trace."""

import time
from collections.abc import Iterator
from typing import Protocol

import numpy as np

from kuberacer.rollout.external_sim import ExternalSim
from kuberacer.rollout.rivals import AmongRivals
from kuberacer.sim.race_sim import RaceSim


class TraceRecorder:
    """One row a car and step. Rows come back in the order of the episodes' numbers, then of their steps."""

    FIELDS = np.dtype(
        [
            ("episode", np.int64), ("steps", np.int64), ("x", np.float64), ("y", np.float64), ("heading", np.float64),
            ("steering", np.float32), ("speed", np.float32), ("reward", np.float64), ("done", np.bool_),
            ("all_wheels_on_track", np.bool_), ("progress", np.float64), ("closest_waypoint", np.int64),
            ("sim_time", np.float64), ("status", np.int8), ("wall_clock", np.float64),
        ]
    )  # fmt: skip

    def __init__(self, cars: int, capacity: int = 256):
        self.rows = np.empty((capacity, cars), self.FIELDS)
        self.actions: list[np.ndarray] = []
        self.length = 0

    def clear(self) -> None:
        self.length = 0
        self.actions.clear()

    def record(
        self,
        sim: RaceSim | AmongRivals | ExternalSim,
        episodes: np.ndarray,
        actions: np.ndarray,
        steering: np.ndarray,
        speed: np.ndarray,
        rewards: np.ndarray,
        done: np.ndarray,
    ) -> None:
        """Keep one step of all cars, between `advance` and `reset`."""
        if self.length == len(self.rows):
            self.rows = np.concatenate([self.rows, np.empty_like(self.rows)])
        row, values = self.rows[self.length], sim.values
        row["episode"], row["steps"] = episodes, values.steps
        row["x"], row["y"], row["heading"] = values.x, values.y, values.heading
        row["steering"], row["speed"], row["reward"], row["done"] = steering, speed, rewards, done
        row["all_wheels_on_track"], row["progress"] = values.all_wheels_on_track, values.progress
        row["closest_waypoint"], row["sim_time"] = values.closest_waypoints[:, 1], values.sim_time
        row["status"], row["wall_clock"] = sim.status, time.time()
        self.actions.append(np.array(actions))
        self.length += 1

    def in_order(self) -> Iterator[tuple[np.void, np.ndarray]]:
        """(row of FIELDS, action) of every step, episode by episode."""
        rows = self.rows[: self.length].ravel()
        return in_order(rows, np.concatenate(self.actions) if self.actions else np.empty(0))


class Played(Protocol):
    """Steps that were played, here or elsewhere."""

    def in_order(self) -> Iterator[tuple[np.void, np.ndarray]]: ...


def in_order(rows: np.ndarray, actions: np.ndarray) -> Iterator[tuple[np.void, np.ndarray]]:
    """Rows of FIELDS (n,) with their actions (n, …), episode by episode."""
    for i in np.lexsort((rows["steps"], rows["episode"])):
        yield rows[i], actions[i]
