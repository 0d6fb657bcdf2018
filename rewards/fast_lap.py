"""Fast laps: pays for the metres won along the track in each step.

The speed in `params` is the one that the car was asked for; what it really wins shows in `progress`, whose last value
the reward remembers. The inside of a bend wins more metres along the track than the centre line, so the car finds its
own line. A finished lap ends the episode, and with it the pay: the bonus, one and a half seconds at the lap's own pace,
makes up for that and pays the more the faster the lap was.
"""

STEPS_PER_SECOND = 15.0
FASTEST = 5.0  # m/s; more is no driving
BONUS_STEPS = 22.0
WHEELS_OUTSIDE = 0.2  # what a metre is worth with a wheel beyond the border
OFF_TRACK = -3.0

before = 0.0  # progress at the step before, percent


def reward_function(params):
    global before
    if params["steps"] <= 1:
        before = 0.0
    won = (params["progress"] - before) / 100.0 * params["track_length"] * STEPS_PER_SECOND  # m/s along the track
    before = params["progress"]
    if params["is_offtrack"]:
        return OFF_TRACK
    reward = min(max(won, -1.0), FASTEST)
    if not params["all_wheels_on_track"]:
        reward *= WHEELS_OUTSIDE
    if params["progress"] >= 100.0:
        reward += BONUS_STEPS * params["track_length"] * STEPS_PER_SECOND / max(params["steps"], 1)
    return float(reward)


if __name__ == "__main__":
    situation = {"all_wheels_on_track": True, "is_offtrack": False, "track_length": 18.0, "steps": 40, "progress": 30.0}
    for speed in (1.0, 2.0, 3.0):
        reward_function(situation)
        later = situation | {"progress": 30.0 + 100.0 * speed / STEPS_PER_SECOND / 18.0}
        print(f"a step at {speed:.0f} m/s: {reward_function(later):.2f}")
    reward_function(situation)
    print(f"the same with a wheel outside: {reward_function(later | {'all_wheels_on_track': False}):.2f}")
    for steps in (110, 160):
        reward_function(situation | {"progress": 99.0})
        finish = reward_function(situation | {"progress": 100.0, "steps": steps})
        print(f"lap finished after {steps} steps: {finish:.1f}")
    print(f"off the track: {reward_function(situation | {'is_offtrack': True}):.2f}")
