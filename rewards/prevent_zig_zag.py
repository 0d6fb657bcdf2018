"""Prevent zig-zag: steer only as much as the road asks for.

A car that swings from lock to lock stays on the road, but slowly. Three things show it: the car's nose points away from
the road's direction, the front wheels are turned while the road ahead is straight, and the car is off the centre line.
The road's direction and bend come from the waypoints around the car.
"""

import math

LOOK_AHEAD = 4  # waypoints
WHEELBASE = 0.164  # m
FREE_STEERING = 10.0  # degrees that cost nothing
OFF_TRACK = 1e-3


def direction(start, end):
    """Degrees from one waypoint to another."""
    return math.degrees(math.atan2(end[1] - start[1], end[0] - start[0]))


def turn(before, after):
    """Degrees from one direction to another, -180 to 180, left is positive."""
    return (after - before + 180.0) % 360.0 - 180.0


def reward_function(params):
    if not params["all_wheels_on_track"]:
        return OFF_TRACK
    waypoints = params["waypoints"]
    behind, ahead = params["closest_waypoints"]
    further = (ahead + LOOK_AHEAD) % len(waypoints)
    road = direction(waypoints[behind], waypoints[ahead])
    astray = abs(turn(road, params["heading"]))
    alignment = max(0.0, math.cos(math.radians(astray)))

    # What a bicycle of this wheelbase needs to follow the bend ahead: the chord shows half of the turn.
    bend = math.radians(turn(road, direction(waypoints[ahead], waypoints[further])))
    distance = math.hypot(waypoints[further][0] - waypoints[behind][0], waypoints[further][1] - waypoints[behind][1])
    needed = math.degrees(math.atan(WHEELBASE * 2.0 * bend / max(distance, 0.1)))
    excess = max(0.0, abs(params["steering_angle"] - needed) - FREE_STEERING)
    smoothness = 1.0 / (1.0 + excess / 20.0)

    offset = params["distance_from_center"] / (0.5 * params["track_width"])
    closeness = max(0.0, 1.0 - offset * offset)
    return float(params["speed"] * alignment * smoothness * closeness + OFF_TRACK)


if __name__ == "__main__":
    straight = {
        "all_wheels_on_track": True,
        "waypoints": [(0.1 * i, 0.0) for i in range(100)],
        "closest_waypoints": [10, 11],
        "heading": 0.0,
        "steering_angle": 0.0,
        "distance_from_center": 0.0,
        "track_width": 0.76,
        "speed": 1.0,
    }
    for angle in (0.0, 10.0, 20.0, 30.0):
        print(f"{angle:.0f}° of steering on a straight: {reward_function(straight | {'steering_angle': angle}):.3f}")
    for angle in (0.0, 20.0, 40.0):
        print(f"nose {angle:.0f}° off the road's direction: {reward_function(straight | {'heading': angle}):.3f}")
