"""Follow the centre line: KubeRacer's default reward.

Every step pays for the metres that the car asks to drive, less the further it is from the centre line. Paying by speed
makes a lap worth the same however long it takes, so that neither standing nor creeping pays; the square leaves the car
room around the line and takes the pay away towards the border. A finished lap ends the episode, and with it the pay:
the bonus makes up for that, or a careful driver would learn to stop short of the line.
"""

LAP_BONUS = 10.0
OFF_TRACK = 1e-3


def reward_function(params):
    if not params["all_wheels_on_track"]:
        return OFF_TRACK
    offset = params["distance_from_center"] / (0.5 * params["track_width"])
    closeness = max(0.0, 1.0 - offset * offset)
    reward = params["speed"] * closeness + OFF_TRACK
    if params["progress"] >= 100.0:
        reward += LAP_BONUS
    return float(reward)


if __name__ == "__main__":
    situation = {"all_wheels_on_track": True, "track_width": 0.76, "speed": 1.0, "progress": 40.0}
    for meters in (0.0, 0.1, 0.2, 0.3):
        print(f"{meters:.1f} m from the centre: {reward_function(situation | {'distance_from_center': meters}):.3f}")
    finished = situation | {"distance_from_center": 0.1, "progress": 100.0}
    print(f"lap finished: {reward_function(finished):.3f}")
    outside = situation | {"distance_from_center": 0.5, "all_wheels_on_track": False}
    print(f"off the track: {reward_function(outside):.3f}")
