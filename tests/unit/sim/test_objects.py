"""Where boxes, bots and other racers are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuberacer.errors import UserError
from kuberacer.sim.params import OBJECT_KEYS
from kuberacer.sim.race_sim import RaceSim, SimConfig
from kuberacer.sim.scene import INNER, OUTER, Bots, Boxes, Scene
from sim.roads import oval, steer_to_center, straight
from sim.scenes import WIDE, race


@given(seed=st.integers(0, 2**40), boxes=st.integers(1, 6), spacing=st.floats(0.5, 2.0), loop=st.booleans())
@settings(max_examples=40, deadline=None)
def test_places_of_chance_keep_their_distance(seed, boxes, spacing, loop):
    track = oval() if loop else WIDE
    sim = race(Scene(boxes=Boxes(count=boxes, random=True, spacing=spacing)), track, 4, "advance", seed=seed)
    lanes = set()
    for _ in range(3):
        for row in sim.objects:
            at = np.sort(row["distance"])
            gaps = np.append(np.diff(at), at[0] + track.length - at[-1] if loop else 9.0)
            assert (gaps >= spacing - 0.02).all()  # the lane's point projects back within a centimetre or so
            assert (at >= spacing - 0.02).all()
            assert (at <= track.length - 1.0 + 0.02).all()
            lanes |= set(np.sign(row["offset"]))
        assert not sim.values.is_crashed.any()
        sim.advance(np.zeros(4), np.zeros(4))
        assert (sim.status == 0).all(), "a car stood in a box at its start"
        sim.reset()
    assert lanes <= {-1.0, 1.0}


def test_chance_uses_both_lanes_and_new_places_each_episode():
    sim = race(Scene(boxes=Boxes(count=3, random=True)), oval(), 8)
    first = sim.objects.copy()
    assert set(np.sign(first["offset"]).ravel()) == {-1.0, 1.0}
    assert len(np.unique(first["distance"].round(6))) == 24
    sim.reset()
    assert (sim.objects["distance"] != first["distance"]).all()
    fixed = race(Scene(boxes=Boxes(count=3)), oval(), 8)
    assert len(np.unique(fixed.objects["distance"].round(9))) == 3


@pytest.mark.parametrize("fraction", [0.0, 0.02, 0.05, 0.1])
def test_a_car_starts_beside_a_box_near_its_start(fraction):
    sim = race(Scene(boxes=Boxes(count=1, places=((fraction, INNER),))), oval())
    assert not sim.values.is_left_of_center[0]
    assert sim.values.all_wheels_on_track[0]
    sim.advance(np.zeros(1), np.zeros(1))
    assert sim.status_name(0) == "in_progress"


def test_bots_drive_at_their_speed_and_change_lanes():
    places = ((0.1, INNER), (0.4, OUTER))
    changes = {"lane_change": True, "lane_change_every": (1.0, 2.0), "lane_change_distance": 0.8}
    bots = Bots(count=2, speed=0.5, places=places, **changes)
    sim = race(Scene(bots=bots), straight(length=40.0, width=1.0, rows=81), seed=3, max_steps=10**6)
    rows = []
    for _ in range(300):
        sim.advance(np.zeros(1), np.zeros(1))
        sim.stop(np.array([True]))
        rows.append(sim.objects[0].copy())
    y, distance = np.array([r["y"] for r in rows]), np.array([r["distance"] for r in rows])
    assert np.diff(distance, axis=0) == pytest.approx(0.5 / 15, abs=1e-9)
    for bot in range(2):
        on_lane = np.isclose(np.abs(y[:, bot]), 0.25)
        turns = np.flatnonzero(np.diff(on_lane.astype(int)))
        begins, ends = turns[on_lane[turns]], turns[~on_lane[turns]]
        assert len(ends) >= 4
        changes = ends - begins[: len(ends)]
        assert (np.abs(changes - 0.8 / 0.5 * 15) <= 2).all()  # 0.8 m at 0.5 m/s
        pairs = min(len(begins) - 1, len(ends))
        waits = (begins[1 : pairs + 1] - ends[:pairs]) / 15
        assert (waits > 1.0 - 0.15).all()
        assert (waits < 2.0 + 0.15).all()
        assert (np.sign(y[ends[0] + 2, bot]) == -np.sign(y[begins[0], bot])).all()
        heading = np.array([r["heading"][bot] for r in rows])
        assert np.abs(heading[on_lane]).max() < 0.1
        assert np.abs(heading).max() > 0.5


def test_bots_without_lane_change_stay_on_their_lane():
    sim = race(Scene(bots=Bots(count=3, speed=0.4)), oval())
    for _ in range(100):
        sim.advance(np.zeros(1), np.zeros(1))
        sim.stop(np.array([True]))
    assert np.abs(np.abs(sim.objects["offset"]) - 0.2) == pytest.approx(0.0, abs=0.01)


def test_bots_drive_in_the_driving_direction():
    bots = Bots(count=2, speed=0.6, places=((0.2, INNER), (0.7, OUTER)))
    sim = race(Scene(bots=bots), oval(), reverse_direction=True)
    before = sim.objects[0].copy()
    for _ in range(15):
        sim.advance(np.zeros(1), np.zeros(1))
        sim.stop(np.array([True]))
    after = sim.objects[0]
    assert after["distance"] - before["distance"] == pytest.approx([0.6, 0.6], abs=0.02)
    way = np.stack([after["x"] - before["x"], after["y"] - before["y"]], axis=1)
    turned = before["x"] * way[:, 1] - before["y"] * way[:, 0]
    assert (turned < 0).all(), "clockwise around the middle"
    along = np.degrees(np.arctan2(way[:, 1], way[:, 0])) - np.degrees(before["heading"])
    assert np.abs((along + 180) % 360 - 180).max() < 15
    assert np.sign(after["offset"]).tolist() == [-1.0, 1.0]  # the inside is on the right


def test_alternating_direction_takes_the_boxes_along():
    sim = race(Scene(boxes=Boxes(count=1, places=((0.2, INNER),))), oval(), alternate_direction=True)
    forward = sim.objects[0, 0].copy()
    sim.reset()
    backward = sim.objects[0, 0].copy()
    assert forward["distance"] == pytest.approx(backward["distance"], abs=0.05)
    assert np.hypot(forward["x"] - backward["x"], forward["y"] - backward["y"]) > 1.0


def test_cars_that_share_a_track_see_each_other_where_they_are():
    sim = race(Scene(boxes=Boxes(count=2), together=3), oval(), 6, start="advance", seed=1)
    steering, speed = np.array([3.0, -2.0, 1.0, 4.0, 5.0, 0.0]), np.array([1.0, 0.8, 1.2, 0.7, 0.9, 1.1])
    for _ in range(5):
        sim.advance(steering, speed)
    values, angle = sim.values, np.deg2rad(sim.values.heading)
    x, y = values.x - 0.058 * np.cos(angle), values.y - 0.058 * np.sin(angle)
    assert sim.objects.shape == (6, 4)
    for car in range(6):
        others = [other for other in range(car // 3 * 3, car // 3 * 3 + 3) if other != car]
        row = sim.objects[car, 2:]
        assert row["x"] == pytest.approx(x[others])
        assert row["y"] == pytest.approx(y[others])
        assert np.degrees(row["heading"]) == pytest.approx(values.heading[others])
        assert values.objects_heading[car, 2:] == pytest.approx(values.heading[others])
        assert row["speed"] == pytest.approx(sim._cars["speed"][others])
    assert len(np.unique(np.column_stack([x, y]).round(3), axis=0)) == 6
    assert (sim.objects[0, :2]["x"] == sim.objects[2, :2]["x"]).all()


def test_starts_of_cars_that_share_a_track():
    loop = race(Scene(together=4), oval(), 8)
    distance = loop.values.projection_distance.reshape(2, 4)
    assert (distance == distance[0]).all()
    assert -np.diff(distance[0, 1:]) == pytest.approx(0.75, abs=0.06)
    assert loop.values.is_left_of_center[:4].tolist() == [False, True, False, True]  # outer and inner in turns
    assert (loop.values.progress == 0.0).all()
    road = race(Scene(together=3), WIDE, 3).values
    assert road.x == pytest.approx([1.64, 0.89, 0.14], abs=0.02)
    assert road.is_left_of_center.tolist() == [False, True, False]


def test_shared_boxes_stay_when_one_car_begins_anew():
    sim = race(Scene(boxes=Boxes(count=3, random=True), together=2), oval(), 4, start="advance")
    before = sim.objects[:, :3].copy()
    sim.reset(np.array([True, False, True, True]))
    assert (sim.objects[:2, :3]["x"] == before[:2]["x"]).all()
    assert (sim.objects[2:, :3]["x"] != before[2:]["x"]).any()
    assert (sim.objects[2, :3]["x"] == sim.objects[3, :3]["x"]).all()


def test_what_cannot_be_shared_is_refused():
    with pytest.raises(ValueError, match="share tracks by 2"):
        RaceSim(oval(), 3, config=SimConfig(scene=Scene(together=2)))
    with pytest.raises(UserError, match="change direction"):
        RaceSim(oval(), 2, config=SimConfig(scene=Scene(together=2), alternate_direction=True))


SCENES = [
    Scene(boxes=Boxes(count=4, random=True, spacing=1.5)),
    Scene(bots=Bots(count=3, speed=0.5, random=True, lane_change=True)),
    Scene(bots=Bots(count=1, speed=0.3), together=2),
]


def play(scene: Scene, cars: int, threads: int, randomization: bool) -> list[np.ndarray]:
    config = SimConfig(scene=scene, randomization=randomization, max_steps=25)
    sim = RaceSim(oval(), cars, seed=5, config=config, threads=threads, sensors=("STEREO_CAMERAS",))
    sim.reset()
    found = []
    for step in range(45):
        sim.advance(steer_to_center(sim) + np.sin(np.arange(cars) + step), 1.5 + 0.2 * np.arange(cars) % 1.0)
        keys = (*OBJECT_KEYS, "closest_objects", "object_in_camera", "is_crashed", "x")
        found += [getattr(sim.values, key).copy() for key in keys] + [sim.status.copy()]
        done = sim.terminated | sim.truncated
        together = scene.together
        sim.reset(done if together == 1 else done.reshape(-1, together).all(axis=1).repeat(together))
        sim.render()
        found.append(sim.frames.copy())
    return found


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("randomization", [False, True])
def test_threads_and_number_of_cars_change_nothing(scene, randomization):
    one, more, fewer = (play(scene, cars, threads, randomization) for cars, threads in ((6, 1), (6, 3), (2, 1)))
    for a, b, c in zip(one, more, fewer, strict=True):
        assert np.array_equal(a, b)
        assert np.array_equal(a[:2], c)
    assert any((status == 3).any() for status in one[10::12]), "nobody crashed"
