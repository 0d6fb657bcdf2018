"""One policy step of many cars: motion, position on the track, episode rules, the reward's parameters.

Lengths in metres, times in seconds, angles in radians unless the name says degrees. A car's origin is the middle of its
rear axle. `direction` 0 drives a route as it is written, 1 the other way; the tables come once for each (see
geometry.py).
"""

import math

import numpy as np
from numba import boolean, float64, from_dtype, int8, int64, njit, void

from kuberacer.sim.kernel_cache import kernel
from kuberacer.sim.road_kernels import START, TANGENT_X, TANGENT_Y, X0, Y0, nearest_segment, on_road, point_at

WHEELBASE, WHEEL_TRACK = 0.164, 0.16
FRONT = 0.14  # x, y and progress are those of this point ahead of the origin
GRAVITY, FRICTION = 9.81, 0.5
MAX_ACCELERATION = 4.0  # of motor and brake, m/s²
MAX_STEERING_DEG, MAX_SPEED = 30.0, 4.0
POLICY_STEP, SUBSTEPS = 1.0 / 15.0, 4  # controllers at 60 Hz
SUBSTEP = POLICY_STEP / SUBSTEPS
STILL_WITHIN, STILL_STEPS, BACKWARD_STEPS = 0.0003, 15, 15
LATENCY_SLOTS = 4

# Rows of the blocks behind ParamArrays (race_sim.py)
X, Y, HEADING, CENTER_DISTANCE, PROJECTION, PROGRESS, SPEED, STEERING, SIM_TIME = range(9)
ALL_WHEELS, LEFT, REVERSED, CRASHED, OFFTRACK, OBJECT_SEEN = range(6)
IN_PROGRESS, LAP_COMPLETE, OFF_TRACK, CRASH, IMMOBILIZED, BACKWARD, TIME_UP = range(7)
TERMINATED, TRUNCATED = range(2)

CAR = np.dtype(
    [
        ("x", "f8"), ("y", "f8"), ("heading", "f8"), ("speed", "f8"), ("steering", "f8"),
        ("segment", "i8"),  # nearest one of the centre line
        ("distance", "f8"),  # of the front along the centre line, from the route's start in the driving direction
        ("travelled", "f8"),  # since the start of the episode, wrap-corrected
        ("goal", "f8"),  # what is to be travelled
        ("direction", "i8"), ("episode", "i8"), ("steps", "i8"), ("sim_time", "f8"),
        ("still_steps", "i8"), ("backward_steps", "i8"),
        ("grip", "f8"), ("steering_bias", "f8"), ("steering_gain", "f8"), ("speed_gain", "f8"), ("latency", "i8"),
        ("noise", "f8"), ("blur", "f8"), ("drop", "f8"),
    ]
)  # fmt: skip
CARS = from_dtype(CAR)[::1]
TABLE = float64[:, :, ::1]


@njit
def drive(car, steering, speed):
    """One 60 Hz substep towards the commanded steering angle and speed: first-order actuators, a kinematic bicycle, and
    tyres whose longitudinal and lateral acceleration together stay within the friction circle."""
    car.steering += (steering + car.steering_bias - car.steering) * car.steering_gain
    limit = car.grip * FRICTION * GRAVITY
    forward = (speed - car.speed) * car.speed_gain / SUBSTEP
    forward = min(max(forward, -MAX_ACCELERATION), MAX_ACCELERATION)
    curvature = math.tan(car.steering) / WHEELBASE
    wanted = math.hypot(forward, car.speed * car.speed * curvature)
    if wanted > limit:
        forward *= limit / wanted
    car.speed = max(car.speed + forward * SUBSTEP, 0.0)
    yaw_rate = car.speed * curvature
    lateral_limit = math.sqrt(max(limit * limit - forward * forward, 0.0))
    if abs(car.speed * yaw_rate) > lateral_limit:
        yaw_rate = math.copysign(lateral_limit / car.speed, curvature)
    middle = car.heading + 0.5 * yaw_rate * SUBSTEP
    car.x += car.speed * math.cos(middle) * SUBSTEP
    car.y += car.speed * math.sin(middle) * SUBSTEP
    heading = car.heading + yaw_rate * SUBSTEP
    if heading > math.pi:
        heading -= 2.0 * math.pi
    elif heading < -math.pi:
        heading += 2.0 * math.pi
    car.heading = heading


@njit
def locate(car, segments, closed, hint):
    """Find the car's front on the centre line. Returns (distance along it, signed offset from it, left positive)."""
    x, y = car.x + FRONT * math.cos(car.heading), car.y + FRONT * math.sin(car.heading)
    k, along, squared = nearest_segment(segments, closed, hint, x, y)
    car.segment = k
    segment = segments[k]
    left = segment[TANGENT_X] * (y - segment[Y0]) - segment[TANGENT_Y] * (x - segment[X0])
    return segment[START] + along, math.copysign(math.sqrt(squared), left)


@njit
def write_position(i, car, distance, offset, segments, borders, closed, length, floats, flags, closest):
    """Fill car i's parameters, all but the commands. Returns how many wheels are on the road."""
    cos, sin = math.cos(car.heading), math.sin(car.heading)
    wheels = 0
    for forward in (0.0, WHEELBASE):
        for side in (-0.5 * WHEEL_TRACK, 0.5 * WHEEL_TRACK):
            x, y = car.x + forward * cos - side * sin, car.y + forward * sin + side * cos
            wheels += on_road(borders, segments, closed, car.segment, x, y)
    count = len(segments)
    previous = car.segment
    while previous + 1 < count and segments[previous + 1, START] <= distance:
        previous += 1
    if closed and distance >= length:
        previous = 0
    closest[i, 0], closest[i, 1] = previous, previous + 1
    floats[X, i], floats[Y, i] = car.x + FRONT * cos, car.y + FRONT * sin
    floats[HEADING, i] = math.degrees(car.heading)
    floats[CENTER_DISTANCE, i], floats[PROJECTION, i] = abs(offset), distance
    floats[PROGRESS, i] = min(max(100.0 * car.travelled / car.goal, 0.0), 100.0)
    floats[SIM_TIME, i] = car.sim_time
    flags[ALL_WHEELS, i], flags[OFFTRACK, i] = wheels == 4, wheels == 0
    flags[LEFT, i], flags[REVERSED, i] = offset > 0.0, car.direction == 1
    return wheels


@njit
def judge(car, wheels, moved, gone, max_steps):
    """The episode's status after a step in which the origin moved `moved` metres and progress `gone` metres."""
    car.still_steps = car.still_steps + 1 if moved <= STILL_WITHIN else 0
    car.backward_steps = car.backward_steps + 1 if gone < 0.0 else 0
    if wheels == 0:
        return OFF_TRACK
    if car.travelled >= car.goal:
        return LAP_COMPLETE
    if car.still_steps >= STILL_STEPS:
        return IMMOBILIZED
    if car.backward_steps >= BACKWARD_STEPS:
        return BACKWARD
    if car.steps >= max_steps:
        return TIME_UP
    return IN_PROGRESS


@kernel(
    void(
        int64, int64, CARS, float64[:, ::1], TABLE, TABLE, TABLE, boolean, float64, int64,
        float64[:, ::1], boolean[:, ::1], int64[::1], int64[:, ::1], int8[::1], boolean[:, ::1],
    ),
)  # fmt: skip
def step_cars(
    first, last, cars, commands, queues, segment_tables, border_tables, closed, length, max_steps,
    floats, flags, steps, closest, status, ended,
):  # fmt: skip
    """Advance cars first..last-1 by one policy step. commands: (2, cars) steering in degrees and speed in m/s."""
    for i in range(first, last):
        car = cars[i]
        segments, borders = segment_tables[car.direction], border_tables[car.direction]
        # Written so that a NaN ends up as the lower bound.
        steering = min(commands[0, i], MAX_STEERING_DEG) if commands[0, i] > -MAX_STEERING_DEG else -MAX_STEERING_DEG
        speed = min(commands[1, i], MAX_SPEED) if commands[1, i] > 0.0 else 0.0
        floats[STEERING, i], floats[SPEED, i] = steering, speed
        queue = queues[i]
        newest = car.steps % LATENCY_SLOTS
        queue[newest, 0], queue[newest, 1] = math.radians(steering), speed
        due = (car.steps - car.latency) % LATENCY_SLOTS
        x, y = car.x, car.y
        for _ in range(SUBSTEPS):
            drive(car, queue[due, 0], queue[due, 1])
        car.steps += 1
        car.sim_time += POLICY_STEP
        distance, offset = locate(car, segments, closed, car.segment)
        gone = distance - car.distance
        if closed and gone > 0.5 * length:
            gone -= length
        elif closed and gone < -0.5 * length:
            gone += length
        car.distance = distance
        car.travelled += gone
        if car.travelled >= car.goal * (1.0 - 1e-9):  # the clamped projection on an open track adds up to rounding
            car.travelled = max(car.travelled, car.goal)
        wheels = write_position(i, car, distance, offset, segments, borders, closed, length, floats, flags, closest)
        steps[i] = car.steps
        outcome = judge(car, wheels, math.hypot(car.x - x, car.y - y), gone, max_steps)
        status[i] = outcome
        ended[TERMINATED, i] = outcome != IN_PROGRESS and outcome != TIME_UP
        ended[TRUNCATED, i] = outcome == TIME_UP


@njit
def pose_at(car, segments, closed, length, distance, beside):
    """Pose a car along the centre line, its front `distance` metres along it, `beside` metres left of it."""
    front, back = distance, distance - FRONT
    if closed:
        front, back = front % length, back % length
    elif back < 0.0:
        front, back = FRONT, 0.0
    x0, y0 = point_at(segments, back)
    x1, y1 = point_at(segments, front)
    car.heading = math.atan2(y1 - y0, x1 - x0)
    car.x = x0 - beside * math.sin(car.heading)
    car.y = y0 + beside * math.cos(car.heading)


@kernel(void(boolean[::1], CARS, TABLE, boolean, float64, float64[:, ::1]))
def stand_cars(mask, cars, segment_tables, closed, length, places):
    """Pose the masked cars along the centre line: places (2, cars) metres along it of the front, metres beside it, left
    positive."""
    for i in range(len(cars)):
        if mask[i]:
            pose_at(cars[i], segment_tables[cars[i].direction], closed, length, places[0, i], places[1, i])


@kernel(
    void(
        boolean[::1], CARS, TABLE, TABLE, TABLE, boolean, float64, boolean,
        float64[:, ::1], boolean[:, ::1], int64[::1], int64[:, ::1], int8[::1], boolean[:, ::1],
    ),
)  # fmt: skip
def settle_cars(
    mask, cars, queues, segment_tables, border_tables, closed, length, restart,
    floats, flags, steps, closest, status, ended,
):  # fmt: skip
    """Take the masked cars' new poses: find them on the whole track, clear what they were doing, fill their parameters.

    restart: a new episode begins here; otherwise what they have travelled and the clock go on."""
    for i in range(len(cars)):
        if not mask[i]:
            continue
        car = cars[i]
        segments, borders = segment_tables[car.direction], border_tables[car.direction]
        distance, offset = locate(car, segments, closed, -1)
        car.distance = distance
        car.speed = car.steering = 0.0
        car.still_steps = car.backward_steps = 0
        queues[i] = 0.0
        if restart:
            car.steps, car.sim_time, car.travelled = 0, 0.0, 0.0
            car.goal = length if closed else max(length - distance, 1e-6)
        floats[STEERING, i] = floats[SPEED, i] = 0.0
        write_position(i, car, distance, offset, segments, borders, closed, length, floats, flags, closest)
        steps[i] = car.steps
        status[i] = IN_PROGRESS
        ended[:, i] = False
