"""The camera's geometry: which strip of ground each row of a frame sees."""

import math
from dataclasses import dataclass

import numpy as np

from kuberacer.sim.render_kernels import fill_row_table
from kuberacer.sim.texture import LEVELS, SKY

WIDTH, HEIGHT = 160, 120
AHEAD = 0.145  # m from the car's origin
BESIDE = 0.03  # m to the left, and to the right, of the middle: stereo cameras
FARTHEST = 40.0  # m; rows that look farther show the sky

# Camera sensors by DeepRacer's names: where their views stand, metres to the left of the car's middle.
SENSORS: dict[str, tuple[float, ...]] = {
    "observation": (0.0,),
    "FRONT_FACING_CAMERA": (0.0,),
    "LEFT_CAMERA": (BESIDE,),
    "STEREO_CAMERAS": (BESIDE, -BESIDE),
}


@dataclass(frozen=True)
class Camera:
    """A pinhole without roll. Metres and radians."""

    height: float = 0.130
    pitch: float = np.deg2rad(15.0)  # down
    field_of_view: float = 1.13  # horizontal

    @property
    def focal_length(self) -> float:
        """In pixels; they are square."""
        return 0.5 * WIDTH / math.tan(0.5 * self.field_of_view)

    @property
    def lens(self) -> tuple[float, float, float, float]:
        """What the kernels that draw objects need: height, cos and sin of the pitch, focal length."""
        return self.height, math.cos(self.pitch), math.sin(self.pitch), self.focal_length

    def row_table(self, texel: float, sky: int = SKY) -> np.ndarray:
        """(HEIGHT, 4) float64: what a row's centre sees on the ground, as 16.16 texels of the level to look into.

        Columns: distance ahead of the camera, size of a pixel across, 16.16 texels a metre, level. A row of sky: its
        grey and zeros. texel: metres of level 0. sky: its grey.
        """
        table = np.empty((HEIGHT, 4))
        fill_row_table(self.height, self.pitch, self.focal_length, texel, FARTHEST, LEVELS, sky, table)
        return table
