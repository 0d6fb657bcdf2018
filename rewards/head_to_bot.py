"""Head to bot: overtake slower cars without touching them.

Every step pays for the metres that the car asks to drive. Who closes in on a bot on its own side of the road is paid
less the sooner it would be there: seconds count and not metres, because bots drive on, and the faster car needs the
room earlier. Beside a bot the room between the two counts. A crash costs more than following ever could.
"""

SOON = 2.0  # s until the car would be there, from which a bot counts
NOW = 0.6  # s from which it counts in full
LENGTH = 0.33  # m: of a car; nearer than that the two are side by side
BEHIND = 0.5  # m: a bot that was overtaken still counts, so that nobody cuts in too early
CLEAR = 0.35  # m between the middles of the two: room enough beside it
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
        if ahead > -BEHIND:
            seconds = max(ahead - LENGTH, 0.0) / max(params["speed"] - params["objects_speed"][i], 0.2)
            nearness = min(max((SOON - seconds) / (SOON - NOW), 0.0), 1.0)
            side = params["objects_distance_from_center"][i]
            if not params["objects_left_of_center"][i]:
                side = -side
            room = min(abs(own_side - side) / enough, 1.0)
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
        "objects_speed": [0.2, 0.2],
        "objects_left_of_center": [True, False],
        "objects_distance_from_center": [0.22, 0.22],
    }
    for meters in (0.0, 0.8, 1.4, 1.7):
        behind = situation | {"projection_distance": 5.0 + meters}
        print(f"{2 - meters:.1f} m behind a bot: {reward_function(behind):.3f}")
    beside = situation | {"projection_distance": 7.0, "is_left_of_center": False}
    print(f"beside it, on the other lane: {reward_function(beside):.3f}")
    print(f"crashed: {reward_function(situation | {'is_crashed': True}):.3f}")
