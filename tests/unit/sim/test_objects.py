"""Boxes, bots and other racers: where they are, who hits them, what the reward is told of them."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kuberacer.errors import UserError
from kuberacer.sim.params import OBJECT_KEYS, params_dict
from kuberacer.sim.race_sim import RaceSim, SimConfig
from kuberacer.sim.scene import INNER, OUTER, Bots, Boxes, Scene
from kuberacer.sim.track import Track
from sim.roads import oval, steer_to_center, straight

WIDE = straight(length=20.0, width=1.0, rows=41)
CAR = (0.162, 0.098)  # half the body
BOX = (0.25, 0.2)  # half a box with its margin


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


def test_fields_of_boxes_from_a_hand_made_scene():
    params = place(two_boxes(), 8.0, 0.0)
    assert params["objects_location"] == [pytest.approx((6.0, 0.25)), pytest.approx((12.0, -0.25))]
    assert params["objects_left_of_center"] == [True, False]
    assert params["objects_distance_from_center"] == pytest.approx([0.25, 0.25])
    assert params["objects_distance"] == pytest.approx([6.0, 12.0])
    assert params["objects_speed"] == [0.0, 0.0]
    assert params["objects_heading"] == [0.0, 0.0]
    assert params["closest_objects"] == [0, 1]
    assert params["is_crashed"] is False


def test_fields_of_bots_from_a_hand_made_scene():
    sim = race(Scene(bots=Bots(count=1, speed=0.6, places=((0.5, OUTER),))))
    for _ in range(15):
        sim.advance(np.zeros(1), np.zeros(1))
    params = params_dict(sim.values, 0)
    assert params["objects_location"] == [pytest.approx((10.6, -0.25))]
    assert params["objects_speed"] == [0.6]
    assert params["objects_heading"] == pytest.approx([0.0], abs=1e-6)
    assert params["objects_distance"] == pytest.approx([10.6])
    assert params["objects_left_of_center"] == [False]
    assert params["closest_objects"] == [0, 0]


def test_heading_of_a_bot_is_in_degrees_and_a_standing_one_s_is_0():
    moving, standing = (
        race(Scene(bots=Bots(count=1, speed=speed, places=((0.25, INNER),))), oval()) for speed in (0.2, 0.0)
    )
    assert moving.values.objects_heading[0, 0] == pytest.approx(180.0, abs=3.0) or moving.values.objects_heading[
        0, 0
    ] == pytest.approx(-180.0, abs=3.0)
    assert standing.values.objects_heading[0, 0] == 0.0
    assert np.degrees(standing.objects["heading"][0, 0]) % 360 == pytest.approx(180.0, abs=3.0)


@pytest.mark.parametrize(
    ("x", "wanted"), [(1.0, [0, 0]), (5.9, [0, 0]), (6.1, [0, 1]), (11.9, [0, 1]), (12.1, [1, 1]), (19.0, [1, 1])]
)
def test_closest_objects_on_an_open_track(x, wanted):
    assert place(two_boxes(), x, 0.4, 90.0)["closest_objects"] == wanted


def test_closest_objects_across_the_line_of_a_loop():
    sim = race(Scene(boxes=Boxes(count=3, places=((0.1, 1), (0.5, -1), (0.9, 1)))), oval())
    for fraction, wanted in ((0.05, [2, 0]), (0.3, [0, 1]), (0.7, [1, 2]), (0.97, [2, 0])):
        k = np.searchsorted(np.cumsum(np.hypot(*np.diff(sim.track.center, axis=0).T)), fraction * sim.track.length)
        assert place(sim, *sim.track.center[k + 1])["closest_objects"] == wanted


@pytest.mark.parametrize(
    ("x", "y", "heading", "seen"),
    [
        (4.0, 0.25, 0.0, True),  # straight ahead
        (4.0, 0.25, 180.0, False),  # behind
        (4.0, 0.25, 60.0, False),  # beside the frame
        (6.5, 0.0, 0.0, True),  # the next one, far away
        (19.0, 0.0, 180.0, True),  # all are behind on the lap: the nearest of them, which the car looks at
    ],
)
def test_object_in_camera_is_the_next_one(x, y, heading, seen):
    assert place(two_boxes(), x, y, heading)["object_in_camera"] is seen


def test_reversed_direction_turns_sides_and_distances():
    places = ((0.3, INNER), (0.6, OUTER))
    sim = race(Scene(boxes=Boxes(count=2, places=places)), oval(), reverse_direction=True)
    values = sim.values
    assert values.objects_distance[0] == pytest.approx(np.array([0.3, 0.6]) * sim.track.length, abs=0.02)
    assert values.objects_left_of_center[0].tolist() == [False, True]  # clockwise, the inside is on the right
    forward = race(Scene(boxes=Boxes(count=2, places=places)), oval()).values
    assert forward.objects_left_of_center[0].tolist() == [True, False]


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
