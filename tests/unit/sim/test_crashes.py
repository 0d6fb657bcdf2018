"""Who hits what, and how a car comes back."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kuberacer.sim.scene import INNER, OUTER, Bots, Boxes, Scene
from sim.roads import oval, steer_to_center
from sim.scenes import WIDE, place, race, two_boxes

CAR = (0.162, 0.098)  # half the body
BOX = (0.25, 0.2)  # half a box with its margin


def corners(x: float, y: float, heading: float, long: float, wide: float) -> np.ndarray:
    turn = np.array([[np.cos(heading), -np.sin(heading)], [np.sin(heading), np.cos(heading)]])
    return np.array([x, y]) + np.array([(a * long, b * wide) for a in (1, -1) for b in (1, -1)]) @ turn.T


def inside(points: np.ndarray, x: float, y: float, heading: float, long: float, wide: float) -> bool:
    """By signed areas against the rectangle's four edges."""
    loop = corners(x, y, heading, long, wide)[[0, 1, 3, 2]]
    edge, away = np.roll(loop, -1, axis=0) - loop, points[:, None] - loop[None]
    area = edge[:, 0] * away[..., 1] - edge[:, 1] * away[..., 0]
    return bool((np.all(area >= 0, axis=1) | np.all(area <= 0, axis=1)).any())


def touching(one: tuple, other: tuple, wider: float) -> bool:
    """wider: metres by which the rectangle that a corner may lie in is larger."""
    grown = [(*rectangle[:3], rectangle[3] + wider, rectangle[4] + wider) for rectangle in (one, other)]
    return inside(corners(*one), *grown[1]) or inside(corners(*other), *grown[0])


@given(
    dx=st.floats(-0.7, 0.7),
    dy=st.floats(-0.5, 0.5),
    car=st.floats(-180, 180),
    box=st.floats(-3.1, 3.1),
    bot=st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_a_crash_is_a_corner_in_a_rectangle(dx, dy, car, box, bot):
    sim = BOTH["bot" if bot else "box"]
    thing = sim.objects[0, 0]
    thing["x"], thing["y"], thing["heading"] = 10.0, 0.0, box
    angle = np.deg2rad(car)
    middle = np.array([10.0 + dx, dy])
    front = middle + 0.058 * np.array([np.cos(angle), np.sin(angle)])
    place(sim, *front, car)
    # A standing bot's pose is not computed anew without a step; the step below is the car's, without motion.
    sim.advance(np.zeros(1), np.zeros(1))
    thing = sim.objects[0, 0]
    size = CAR if bot else BOX
    there = (float(thing["x"]), float(thing["y"]), float(thing["heading"]), *size)
    here = (*middle, angle, *CAR)
    wanted = touching(here, there, 0.0)
    assume(touching(here, there, 1e-9) == wanted == touching(here, there, -1e-9))  # no matter of rounding
    assert (sim.status_name(0) == "crashed") == wanted
    assert sim.values.is_crashed[0] == wanted == sim.terminated[0]
    assert sim.field.hit[0] == (0 if wanted else -1)


BOTH = {
    "box": race(Scene(boxes=Boxes(count=1, places=((0.5, 1),)))),
    "bot": race(Scene(bots=Bots(count=1, speed=0.0, places=((0.5, 1),)))),
}


def test_driving_into_a_box_ends_the_episode():
    sim = two_boxes()
    place(sim, 4.0, 0.25)
    while not sim.terminated[0]:
        sim.advance(np.zeros(1), np.ones(1))
    assert sim.status_name(0) == "crashed"
    nose = sim.values.x[0] - 0.058 + 0.162
    assert 5.75 <= nose < 5.75 + 1.1 / 15
    sim.reset()
    assert not sim.values.is_crashed[0]


def test_of_two_racers_the_one_behind_crashes():
    sim = race(Scene(together=2), WIDE, 2)
    sim.place(np.array([8.0, 7.0]), np.zeros(2), np.zeros(2))
    while not sim.terminated.any():
        sim.advance(np.zeros(2), np.array([0.5, 1.5]))
    assert [sim.status_name(car) for car in range(2)] == ["in_progress", "crashed"]
    assert sim.values.is_crashed.tolist() == [False, True]


def test_absent_cars_are_neither_seen_nor_hit():
    sim = race(Scene(together=2), WIDE, 2)
    sim.place(np.array([8.0, 6.0]), np.zeros(2), np.zeros(2))
    sim.absent[0] = True
    for _ in range(40):
        sim.advance(np.zeros(2), np.array([0.0, 1.5]))
        sim.stop(np.array([True, False]))
    assert not sim.terminated.any()
    assert sim.values.x[1] > 8.5
    assert sim.objects["kind"].tolist() == [[4], [-1]]


def test_a_car_comes_back_behind_the_box_it_has_hit_on_the_other_lane():
    sim = two_boxes()
    place(sim, 4.0, 0.25)
    while not sim.terminated[0]:
        sim.advance(np.zeros(1), np.ones(1))
    progress, clock = sim.values.progress[0], sim.values.sim_time[0]
    sim.recover(np.array([True]), pause_seconds=5.0, behind=1.5)
    values = sim.values
    assert (values.x[0], values.y[0]) == (pytest.approx(6.0 - 1.5), pytest.approx(-0.25))
    assert (sim.status_name(0), values.is_crashed[0]) == ("in_progress", False)
    assert values.sim_time[0] == pytest.approx(clock + 5.0)
    back = progress - 100 * (5.7 - 4.5) / 16.0  # from where it stood, in percent of what was to drive
    assert values.progress[0] == pytest.approx(back, abs=1.0)
    while not sim.terminated[0]:
        sim.advance(np.zeros(1), np.full(1, 1.5))
    assert sim.values.x[0] > 11.0, "the other lane leads by"


def test_a_car_off_the_track_beside_a_box_comes_back_behind_it_too():
    sim = two_boxes()
    place(sim, 5.5, 0.8, 20.0)
    sim.advance(np.zeros(1), np.zeros(1))
    assert sim.status_name(0) == "off_track"
    sim.recover(np.array([True]))
    assert (sim.values.x[0], sim.values.y[0]) == (pytest.approx(5.0), pytest.approx(-0.25))
    place(sim, 8.5, 0.8, 20.0)  # no object within a metre: the nearer lane, where it is
    sim.recover(np.array([True]))
    assert (sim.values.x[0], sim.values.y[0]) == (pytest.approx(8.5, abs=0.01), pytest.approx(0.25))


def test_a_place_that_is_taken_is_left_backwards():
    places = ((0.5, INNER), (0.45, OUTER))  # the way back from the first leads into the second
    sim = race(Scene(boxes=Boxes(count=2, places=places)))
    place(sim, 9.5, 0.25)
    while not sim.terminated[0]:
        sim.advance(np.zeros(1), np.ones(1))
    sim.recover(np.array([True]))
    assert sim.values.y[0] == pytest.approx(-0.25)
    assert 8.3 < sim.values.x[0] + 0.104 < 8.76, "just before the other box and its margin"
    sim.advance(np.zeros(1), np.zeros(1))
    assert sim.status_name(0) == "in_progress"


@given(seed=st.integers(0, 2**32), bots=st.booleans(), together=st.sampled_from([1, 2]))
@settings(max_examples=15, deadline=None)
def test_who_comes_back_stands_in_nothing(seed, bots, together):
    things = {"bots": Bots(count=3, speed=0.4, random=True)} if bots else {"boxes": Boxes(count=5, random=True)}
    sim = race(Scene(**things, together=together), oval(), 4, "advance", seed=seed)
    incidents = 0
    for step in range(80):
        sim.advance(steer_to_center(sim) + 8 * np.sin(0.2 * step + np.arange(4)), np.full(4, 1.5))
        back = sim.terminated.copy()
        if back.any():
            incidents += int(back.sum())
            sim.recover(back, pause_seconds=1.0)
            assert not sim.values.is_crashed[back].any()
            assert sim.values.all_wheels_on_track[back].all()
            sim.stop(back)
            sim.advance(np.zeros(4), np.where(back, 0.0, 1.0))
            if together == 1 and not bots:
                assert (sim.status[back] == 0).all()
    assert incidents or bots
