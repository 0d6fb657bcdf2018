"""Avoid objects: be on the free side of the road in good time.

Every step pays for the metres that the car asks to drive. An object that comes nearer takes the pay away from who is
behind it, the more the nearer it is and the less room there is beside it; with room enough it takes nothing. So the pay
falls bit by bit long before a crash, and the car learns which way to steer. A crash costs more than standing ever
could. On a track without objects the reward still works.
"""

SIGHT = 1.6  # m along the track from which an object counts
NEAR = 0.6  # m from which it counts in full
PASSED = 0.45  # m behind the car: a box and a car no longer touch
CLEAR = 0.4  # m between the middles of car and object: room enough beside it
HALF_CAR = 0.1  # m, half the width of the car
LAP_BONUS = 10.0
OFF_TRACK = 1e-3
CRASH = -5.0


def reward_function(params):
    if params["is_crashed"]:
        return CRASH
    if not params["all_wheels_on_track"]:
        return OFF_TRACK
    from_center = params["distance_from_center"]
    own_side = from_center if params["is_left_of_center"] else -from_center
    lap, enough = params["track_length"], min(CLEAR, 0.5 * params["track_width"])
    free = 1.0
    for i in range(len(params["objects_distance"])):
        # The shorter way round: behind the car is negative, also across the start line.
        ahead = (params["objects_distance"][i] - params["projection_distance"] + 0.5 * lap) % lap - 0.5 * lap
        if -PASSED < ahead < SIGHT:
            side = params["objects_distance_from_center"][i]
            if not params["objects_left_of_center"][i]:
                side = -side
            room = min(abs(own_side - side) / enough, 1.0)
            nearness = min((SIGHT - ahead) / (SIGHT - NEAR), 1.0)
            free = min(free, 1.0 - nearness * (1.0 - room))
    to_border = 0.5 * params["track_width"] - from_center - HALF_CAR
    on_road = min(max(to_border / 0.1, 0.1), 1.0)
    reward = params["speed"] * on_road * free + OFF_TRACK
    if params["progress"] >= 100.0:
        reward += LAP_BONUS
    return float(reward)


if __name__ == "__main__":
    situation = {
        "all_wheels_on_track": True,
        "is_crashed": False,
        "is_left_of_center": True,
        "distance_from_center": 0.2,
        "projection_distance": 5.0,
        "track_width": 0.9,
        "track_length": 18.0,
        "speed": 1.0,
        "progress": 20.0,
        "objects_distance": [7.0, 14.0],
        "objects_left_of_center": [True, False],
        "objects_distance_from_center": [0.22, 0.22],
    }
    for meters in (0.0, 0.8, 1.4, 1.7):
        behind = situation | {"projection_distance": 5.0 + meters}
        print(f"{2 - meters:.1f} m behind an object: {reward_function(behind):.3f}")
    beside = situation | {"projection_distance": 6.4, "is_left_of_center": False}
    print(f"0.6 m behind it, on the other lane: {reward_function(beside):.3f}")
    print(f"crashed: {reward_function(situation | {'is_crashed': True}):.3f}")
