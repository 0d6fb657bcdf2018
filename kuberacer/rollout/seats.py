"""Some cars of a simulator, as views of its arrays: those of one entrant among the others."""

from dataclasses import fields, replace
from typing import Any

import numpy as np

from kuberacer.sim.params import ParamArrays
from kuberacer.sim.race_sim import RaceSim


class Seats:
    """Every `step`-th car of a simulator from the car `first` on. The arrays are the simulator's own, in part."""

    def __init__(self, sim: RaceSim, first: int, step: int):
        self.sim, self.part = sim, slice(first, None, step)
        self.frames = sim.frames[self.part]
        self.lidar = None if sim.lidar is None else sim.lidar[self.part]
        self.cars = len(self.frames)
        self.values = values_of(sim.values, self.part)
        self.status = sim.status[self.part]
        self.terminated, self.truncated = sim.terminated[self.part], sim.truncated[self.part]


def values_of(values: ParamArrays, part: slice) -> ParamArrays:
    """The reward's parameters of some of the cars."""
    every = {field.name: getattr(values, field.name) for field in fields(values)}
    changes: dict[str, Any] = {name: value[part] for name, value in every.items() if isinstance(value, np.ndarray)}
    return replace(values, **changes)
