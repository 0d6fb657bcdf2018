"""The camera's geometry: which strip of ground each row of a frame sees."""

import math
from dataclasses import dataclass

import numpy as np
from numba import float64, int64, njit, void

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


@njit(void(float64, float64, float64, float64, float64, int64, float64, float64[:, ::1]), cache=True)
def fill_row_table(height, pitch, focal_length, texel, farthest, levels, sky, table):
    """See Camera.row_table; what other modules define comes as an argument (numba's cache knows this file alone)."""
    cos, sin = math.cos(pitch), math.sin(pitch)
    for r in range(len(table)):
        down_image = (r + 0.5 - 0.5 * len(table)) / focal_length
        down = sin + down_image * cos  # of a ray one metre long along the optical axis
        depth = height / down if down > 0.0 else math.inf
        forward = depth * (cos - down_image * sin)
        if not forward < farthest:
            table[r, 0], table[r, 1], table[r, 2], table[r, 3] = sky, 0.0, 0.0, 0.0
            continue
        lateral = depth / focal_length
        level = min(max(math.floor(math.log2(max(1.5 * lateral / texel, 1.0))), 0), levels - 1)
        scale = 65536.0 / (texel * 2.0**level)
        table[r, 0], table[r, 1], table[r, 2], table[r, 3] = forward * scale, lateral * scale, scale, level


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

    def row_table(self, texel: float) -> np.ndarray:
        """(HEIGHT, 4) float64: what a row's centre sees on the ground, as 16.16 texels of the level to look into.

        Columns: distance ahead of the camera, size of a pixel across, 16.16 texels a metre, level. A row of sky: its
        grey and zeros. texel: metres of level 0.
        """
        table = np.empty((HEIGHT, 4))
        fill_row_table(self.height, self.pitch, self.focal_length, texel, FARTHEST, LEVELS, SKY, table)
        return table
