"""The lidar: what it is, and its scans' geometry."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Lidar sensors by DeepRacer's names. They differ in what a model is given of a scan, not in the scan.
LIDARS = ("LIDAR", "SECTOR_LIDAR", "DISCRETIZED_SECTOR_LIDAR")


@dataclass(frozen=True)
class Lidar:
    """Metres and radians. A scan's values go counter-clockwise from one end of the field of view to the other; its
    middle looks backwards, so the 60 degrees that nothing is seen of lie ahead, where the camera looks."""

    values: int = 64  # at least 2
    field_of_view: float = 2 * 2.61799
    facing: float = np.pi  # where the middle of the field of view looks, from straight ahead
    nearest: float = 0.15
    farthest: float = 12.0  # also what a ray that hits nothing says
    noise: float = 0.01  # standard deviation, m
    ahead: float = 0.029  # of the car's origin

    @property
    def angles(self) -> np.ndarray:
        """(values,) of the rays, from straight ahead, left positive."""
        half = 0.5 * self.field_of_view
        return self.facing + np.linspace(-half, half, self.values)

    def arguments(self) -> tuple[np.ndarray, np.ndarray]:
        """The rays and limits that scan_cars takes."""
        angles = self.angles
        rays = np.stack([np.cos(angles), np.sin(angles)])
        return rays, np.array(
            [self.nearest, self.farthest, self.noise, self.ahead, angles[0], self.field_of_view / (self.values - 1)]
        )


def lidar_of(sensors: Sequence[str], lidar: Lidar | None) -> Lidar | None:
    """The lidar of a car with these sensors: `lidar`, or else one as it is when a sensor is a lidar."""
    found = [sensor for sensor in sensors if sensor in LIDARS]
    if len(found) > 1:
        raise ValueError(f"sensors {list(sensors)}: at most one of {', '.join(LIDARS)}")
    return lidar or (Lidar() if found else None)
