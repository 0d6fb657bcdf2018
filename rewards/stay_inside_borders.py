"""Stay inside the two borders: anywhere on the road will do.

The reward does not care for the centre line, so that the car may find its own line through a bend. It only falls when a
side of the car comes closer to a border than a safe margin. Speed counts, so that the road is used to drive.
"""

HALF_CAR = 0.1  # m, half the width of the car
SAFE_MARGIN = 0.1  # m between the car's side and the border
OFF_TRACK = 1e-3


def reward_function(params):
    if not params["all_wheels_on_track"] or params["is_offtrack"]:
        return OFF_TRACK
    margin = 0.5 * params["track_width"] - params["distance_from_center"] - HALF_CAR
    safety = min(max(margin / SAFE_MARGIN, 0.1), 1.0)
    return float(params["speed"] * safety + OFF_TRACK)


if __name__ == "__main__":
    situation = {"all_wheels_on_track": True, "is_offtrack": False, "track_width": 0.76, "speed": 1.0}
    for meters in (0.0, 0.15, 0.22, 0.28):
        print(f"{meters:.2f} m from the centre: {reward_function(situation | {'distance_from_center': meters}):.3f}")
    outside = situation | {"distance_from_center": 0.5, "all_wheels_on_track": False}
    print(f"off the track: {reward_function(outside):.3f}")
