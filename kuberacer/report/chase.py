"""The view from above and behind a car: coloured ground, and cars and things on it."""

from collections.abc import Sequence

import numpy as np

from kuberacer.report.chase_camera import HEIGHT, WIDTH, ChaseCamera
from kuberacer.report.ground import GRASS, LEVELS, Ground, pack
from kuberacer.report.solids import Solid, faces
from kuberacer.sim.film_kernels import draw_ground, fill_quads
from kuberacer.sim.track import Track

ZENITH, HORIZON = np.array([120, 165, 214]), np.array([206, 222, 232])


class ChaseView:
    """A track's ground, made once; `frame` draws what a camera sees. Pictures are (HEIGHT, WIDTH, 3) uint8."""

    def __init__(self, track: Track):
        self.ground = Ground.of(track)
        self.grass = pack(np.array(GRASS, np.uint8))
        share = np.linspace(0.0, 1.0, HEIGHT // 2)[:, None]
        sky = (1 - share) * ZENITH + share * HORIZON
        self.sky = np.vstack([sky, np.repeat(HORIZON[None], HEIGHT - len(sky), axis=0)]).astype(np.uint8)

    def frame(self, camera: ChaseCamera, solids: Sequence[Solid]) -> np.ndarray:
        ground, picture = self.ground, np.empty((HEIGHT, WIDTH, 3), np.uint8)
        rows = camera.rows(ground.texel, LEVELS)
        x, y = camera.x - ground.origin[0], camera.y - ground.origin[1]
        draw_ground(picture, rows, x, y, camera.yaw, ground.texels, ground.levels, self.grass, self.sky)
        fill_quads(picture, *faces(solids, camera))
        return picture
