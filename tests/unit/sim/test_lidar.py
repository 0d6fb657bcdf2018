"""Lidar scans against rays that are traced by hand."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuberacer.sim.lidar import Lidar
from kuberacer.sim.race_sim import RaceSim, SimConfig
from kuberacer.sim.scene import INNER, OUTER, Bots, Boxes, Scene
from sim.roads import oval, straight

ROAD = straight(length=20.0, width=1.0, rows=41)
EXACT = Lidar(noise=0.0)
AROUND = Lidar(noise=0.0, facing=0.0, field_of_view=2 * np.pi * 359 / 360, values=360)


def scanning(scene: Scene, lidar: Lidar | None, track=ROAD, cars: int = 1, seed: int = 0, threads: int = 1) -> RaceSim:
    config = SimConfig(start="line", scene=scene)
    sim = RaceSim(track, cars, seed=seed, config=config, threads=threads, sensors=("observation", "LIDAR"), lidar=lidar)
    sim.reset()
    return sim


def test_geometry_as_deepracer_mounts_it():
    """64 values over 300 degrees whose middle looks back: the first one 30 degrees to the left of straight ahead."""
    angles = np.degrees(Lidar().angles)
    assert len(angles) == 64
    assert angles[[0, -1]] == pytest.approx([30.0, 330.0], abs=1e-3)
    assert angles[31:33].mean() == pytest.approx(180.0)
    sim = scanning(Scene(), None)
    sim.render()
    assert sim.lidar.shape == (1, 64)
    assert sim.lidar.dtype == np.float32
    assert (sim.lidar == 12.0).all()
    assert RaceSim(oval(), 1).lidar is None


@pytest.mark.parametrize("sensors", [("LIDAR",), ("observation", "LIDAR", "SECTOR_LIDAR")])
def test_wrong_sensors_are_refused(sensors):
    with pytest.raises(ValueError, match="one of"):
        RaceSim(oval(), 1, sensors=sensors)


def test_a_box_ahead_is_where_it_stands():
    sim = scanning(Scene(boxes=Boxes(count=1, places=((0.5, INNER),))), AROUND)  # at (10, 0.25), 0.4 x 0.3 m
    sim.place(np.array([8.0]), np.array([0.25]), np.array([0.0]))
    sim.render()
    scan, angles = sim.lidar[0], AROUND.angles
    eye = 8.0 - 0.14 + 0.029
    ahead = np.argmin(np.abs(angles))
    assert scan[ahead] == pytest.approx((9.8 - eye) / np.cos(angles[ahead]), abs=1e-5)
    edge = np.degrees(np.arctan2(0.15, 9.8 - eye))
    hit = np.abs(np.degrees(angles)) < edge
    assert (scan[hit] < 2.0).all()
    assert (scan[~hit] == 12.0).all()


@given(x=st.floats(0.5, 19.5), y=st.floats(-1.0, 1.0), heading=st.floats(-180, 180))
@settings(max_examples=60, deadline=None)
def test_scans_equal_rays_against_all_edges(x, y, heading):
    sim = SCENE
    sim.place(np.array([x]), np.array([y]), np.array([heading]))
    sim.render()
    turn = np.deg2rad(heading)
    eye = np.array([x, y]) + (0.029 - 0.14) * np.array([np.cos(turn), np.sin(turn)])
    angles = turn + AROUND.angles
    rays = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    best = np.full(len(rays), 12.0)
    within = False
    for thing in sim.objects[0]:
        cos, sin = np.cos(thing["heading"]), np.sin(thing["heading"])
        frame = np.array([[cos, sin], [-sin, cos]])
        size = np.array([thing["half_length"], thing["half_width"]])
        within |= bool((np.abs(frame @ (eye - [thing["x"], thing["y"]])) <= size).all())
        loop = np.array([thing["x"], thing["y"]]) + (np.array([(1, 1), (1, -1), (-1, -1), (-1, 1)]) * size) @ frame
        for a, b in zip(loop, np.roll(loop, -1, axis=0), strict=True):
            edge = b - a
            cross = rays[:, 0] * edge[1] - rays[:, 1] * edge[0]
            with np.errstate(divide="ignore", invalid="ignore"):
                length = ((a - eye)[0] * edge[1] - (a - eye)[1] * edge[0]) / cross
                along = ((a - eye)[0] * rays[:, 1] - (a - eye)[1] * rays[:, 0]) / cross
            met = (length >= 0) & (along >= 0) & (along <= 1)
            best = np.where(met, np.minimum(best, length), best)
    if not within:
        assert (np.abs(np.maximum(best, 0.15) - sim.lidar[0]) > 1e-4).sum() <= 2  # rays that graze a corner


SCENE = scanning(
    Scene(
        boxes=Boxes(count=2, places=((0.3, INNER), (0.6, OUTER))), bots=Bots(count=1, speed=0.0, places=((0.45, 1),))
    ),
    AROUND,
)


def test_noise_has_a_centimetre_and_comes_from_the_seed():
    box = Scene(boxes=Boxes(count=2, places=((0.5, INNER), (0.5, OUTER))))
    exact, noisy, again, other = (
        scanning(box, lidar, seed=seed) for lidar, seed in ((EXACT, 1), (None, 1), (None, 1), (None, 2))
    )
    differences = []
    for step in range(60):
        for sim in (exact, noisy, again, other):
            sim.place(np.array([10.6]), np.array([0.0]), np.array([180.0 * (step % 2)]))
            sim._cars["steps"] = 3 * step
            sim.render()
        hit = exact.lidar < 12.0
        differences.append((noisy.lidar - exact.lidar)[hit & (exact.lidar > 0.25)])
        assert (noisy.lidar[~hit] == 12.0).all()
        assert np.array_equal(noisy.lidar, again.lidar)
        assert not np.array_equal(noisy.lidar, other.lidar)
    found = np.concatenate(differences)
    assert len(found) > 500
    assert abs(found.mean()) < 1e-3
    assert found.std() == pytest.approx(0.01, rel=0.1)


def test_ten_scans_a_second():
    sim = scanning(Scene(bots=Bots(count=3, speed=0.0), boxes=Boxes()), None, oval())
    changed = []
    sim.render()
    for _ in range(30):
        before = sim.lidar.copy()
        sim.advance(np.zeros(1), np.full(1, 0.5))
        sim.stop(np.array([True]))
        sim.render()
        changed.append(not np.array_equal(before, sim.lidar))
    assert sum(changed) == 20
    assert not any(a is b is False for a, b in pairwise(changed))


def test_threads_and_number_of_cars_change_nothing():
    scene = Scene(boxes=Boxes(count=4, random=True, spacing=1.0))
    scans = []
    for cars, threads in ((6, 1), (6, 3), (2, 1)):
        sim = scanning(scene, None, oval(), cars, 7, threads)
        for _ in range(8):
            sim.advance(np.arange(cars) * 2.0, np.ones(cars))
        sim.render()
        scans.append(sim.lidar)
    assert np.array_equal(scans[0], scans[1])
    assert np.array_equal(scans[0][:2], scans[2])
    assert (scans[0] < 12.0).any()
