"""Scenes for the tests of objects."""

import numpy as np

from kuberacer.sim.params import params_dict
from kuberacer.sim.race_sim import RaceSim, SimConfig
from kuberacer.sim.scene import INNER, OUTER, Boxes, Scene
from kuberacer.sim.track import Track
from sim.roads import straight

WIDE = straight(length=20.0, width=1.0, rows=41)


def race(scene: Scene, track: Track = WIDE, cars: int = 1, start: str = "line", **more) -> RaceSim:
    sim = RaceSim(track, cars, seed=more.pop("seed", 0), config=SimConfig(start=start, scene=scene, **more))
    sim.reset()
    return sim


def two_boxes() -> RaceSim:
    """A straight road along x, its inner border on the left: a box on the left at 6 m, one on the right at 12 m."""
    return race(Scene(boxes=Boxes(count=2, places=((0.3, INNER), (0.6, OUTER)))))


def place(sim: RaceSim, x: float, y: float, heading: float = 0.0) -> dict:
    sim.place(np.array([x]), np.array([y]), np.array([heading]))
    return params_dict(sim.values, 0)
