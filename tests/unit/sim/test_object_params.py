"""What the reward is told of objects, from scenes made by hand."""

import numpy as np
import pytest

from kuberacer.sim.params import params_dict
from kuberacer.sim.scene import INNER, OUTER, Bots, Boxes, Scene
from sim.roads import oval
from sim.scenes import place, race, two_boxes


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
