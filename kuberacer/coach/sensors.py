"""What DeepRacer's `sensor` and `lidar_config` may be, and the shapes of what a network sees of them.

Names, shapes and limits are those of DeepRacer's simulator (docs/sensors.md). Importable without TensorFlow.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from kuberacer.coach.json_input import number, shown
from kuberacer.errors import UserError

DOCUMENT = "model metadata"
CAMERAS = ("observation", "FRONT_FACING_CAMERA", "LEFT_CAMERA", "STEREO_CAMERAS")
LIDARS = ("LIDAR", "SECTOR_LIDAR", "DISCRETIZED_SECTOR_LIDAR")
FRAME = (120, 160)  # rows, columns
RANGES = 64  # of one turn of the lidar
LIDAR_METRES = (0.15, 12.0)
CLIPPED_METRES = (0.15, 1.0)  # what a network sees of LIDAR
MOST_VALUES = 1200  # of a sector: the lidar's resolution is 0.01 m

# What a policy sees of N cars: the camera's (N, 120, 160, views · stack) uint8, or with a lidar the pair of that and
# (N, values) float32.
Observation = np.ndarray | tuple[np.ndarray, np.ndarray]


def arrays(observation: Observation) -> tuple[np.ndarray, ...]:
    """The arrays of an observation in the order of a network's inputs: camera, lidar."""
    return observation if isinstance(observation, tuple) else (observation,)


def joined(parts: tuple[np.ndarray, ...]) -> Observation:
    """The observation of these arrays."""
    return parts[0] if len(parts) == 1 else (parts[0], parts[1])


def chosen(observation: Observation, rows: np.ndarray | slice | int) -> Observation:
    """Some rows of an observation's arrays: a copy where they are an array, else a view."""
    return joined(tuple(array[rows] for array in arrays(observation)))


@dataclass(frozen=True)
class Input:
    """One input of a network, by its sensor's name; shape without the batch."""

    name: str
    shape: tuple[int, ...]

    @property
    def dtype(self) -> type:
        return np.uint8 if len(self.shape) == 3 else np.float32


@dataclass(frozen=True)
class LidarConfig:
    """How DISCRETIZED_SECTOR_LIDAR divides a scan: sectors, and distances in each up to clipping_dist metres."""

    num_sectors: int = 8
    num_values_per_sector: int = 8
    clipping_dist: float = 2.0

    @classmethod
    def parse(cls, value: Any) -> Self | None:
        """Raises UserError naming the key and its rule."""
        if value is None:
            return None
        rules = {
            "num_sectors": (1, RANGES, f"a whole number that divides {RANGES}"),
            "num_values_per_sector": (1, MOST_VALUES, f"a whole number from 1 to {MOST_VALUES}"),
            "clipping_dist": (*LIDAR_METRES, f"{LIDAR_METRES[0]:g} to {LIDAR_METRES[1]:g} (metres)"),
        }
        if not isinstance(value, dict) or any(key not in rules for key in value):
            raise UserError(f"{DOCUMENT}: lidar_config is {shown(value)}", f"its keys are: {', '.join(rules)}")
        found: dict[str, Any] = {}
        for key, entry in value.items():
            low, high, rule = rules[key]
            given = number(entry)
            whole = key == "clipping_dist" or (given is not None and given == int(given))
            if given is None or not low <= given <= high or not whole or (key == "num_sectors" and RANGES % given):
                raise UserError(f"{DOCUMENT}: lidar_config.{key} is {shown(entry)}", f"give {rule}")
            found[key] = given if key == "clipping_dist" else int(given)
        return cls(**found)


# SECTOR_LIDAR is the same with fixed numbers: one flag a sector, something is nearer than half a metre.
BINARY_SECTORS = LidarConfig(num_sectors=8, num_values_per_sector=1, clipping_dist=0.5)


def read_sensors(value: Any) -> tuple[str, ...]:
    """(camera,) or (camera, lidar). Raises UserError naming what does not fit."""
    if not isinstance(value, list) or not value:
        raise UserError(f"{DOCUMENT}: sensor is {shown(value)}", "sensor is a list of one camera and at most one lidar")
    for name in value:
        if name not in CAMERAS + LIDARS:
            raise UserError(f"{DOCUMENT}: sensor has {shown(name)}", f"the sensors are: {', '.join(CAMERAS + LIDARS)}")
    cameras = [name for name in value if name in CAMERAS]
    lidars = [name for name in value if name in LIDARS]
    if len(cameras) != 1 or len(lidars) > 1:
        raise UserError(
            f"{DOCUMENT}: sensor is {shown(value)}, {len(cameras)} cameras and {len(lidars)} lidars",
            "name exactly one camera and at most one lidar",
        )
    return (*cameras, *lidars)
