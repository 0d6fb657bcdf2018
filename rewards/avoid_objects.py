"""Avoid objects and other cars: leave the lane of the next object in good time.

Away from objects this is the reward of staying on the road. Within sight of the next object the lane counts: the other
lane pays in full, the object's own lane less the closer the car comes. A crash pays nothing. On a track without objects
the reward still works.
"""

import math

SIGHT = 1.5  # m from which an object counts
TOO_CLOSE = 0.3  # m
HALF_CAR = 0.1  # m, half the width of the car
OFF_TRACK = 1e-3


def on_road(params):
    """1 in the middle of the road, falling within 0.1 m of a border."""
    margin = 0.5 * params["track_width"] - params["distance_from_center"] - HALF_CAR
    return min(max(margin / 0.1, 0.1), 1.0)


def clear_of_objects(params):
    """1 with a free lane ahead, down to 0.05 right behind an object."""
    if not params["objects_location"]:
        return 1.0
    following = params["closest_objects"][1]
    x, y = params["objects_location"][following]
    distance = math.hypot(x - params["x"], y - params["y"])
    same_lane = params["objects_left_of_center"][following] == params["is_left_of_center"]
    if distance > SIGHT or not same_lane:
        return 1.0
    return max(0.05, (distance - TOO_CLOSE) / (SIGHT - TOO_CLOSE))


def reward_function(params):
    if params["is_crashed"] or not params["all_wheels_on_track"]:
        return OFF_TRACK
    return float(params["speed"] * on_road(params) * clear_of_objects(params) + OFF_TRACK)


if __name__ == "__main__":
    situation = {
        "all_wheels_on_track": True,
        "is_crashed": False,
        "is_left_of_center": True,
        "x": 0.0,
        "y": 0.2,
        "distance_from_center": 0.2,
        "track_width": 0.9,
        "speed": 1.0,
        "closest_objects": [1, 0],
        "objects_location": [(2.0, 0.2), (9.0, 0.0)],
        "objects_left_of_center": [True, False],
    }
    for meters in (0.0, 0.8, 1.4, 1.7):
        print(f"{2 - meters:.1f} m behind an object: {reward_function(situation | {'x': meters}):.3f}")
    beside = situation | {"x": 1.4, "y": -0.2, "is_left_of_center": False}
    print(f"0.6 m behind it, on the other lane: {reward_function(beside):.3f}")
    print(f"crashed: {reward_function(situation | {'is_crashed': True}):.3f}")
