"""Boxes, bots and other racers: where they are, who hits them, what the reward is told of them.

`objects` (cars, K): each car's boxes, bots and other racers. Cars that share a track (`together`) have the same boxes
and bots in their rows.
"""

import math

from numba import boolean, float64, int8, int64, njit, void

from kuberacer.sim.bot_kernels import BOTS, CHANGE_DISTANCE, drive_bot, find, segment_at, stand
from kuberacer.sim.kernel_cache import kernel
from kuberacer.sim.noise_kernels import HEIGHT, WIDTH
from kuberacer.sim.solid_kernels import BOT_CAR, FOCAL_LENGTH, NOTHING, OBJECTS, RACER, to_camera, view_of
from kuberacer.sim.step_kernels import (
    CARS,
    CRASH,
    CRASHED,
    FRONT,
    LAP_COMPLETE,
    OBJECT_SEEN,
    TABLE,
    TERMINATED,
    TRUNCATED,
    WHEELBASE,
    pose_at,
)  # fmt: skip

CAR_HALF_LENGTH, CAR_HALF_WIDTH = 0.162, 0.098
BOX_MARGIN = 0.05  # m around a box that count as a hit, as in DeepRacer's simulator
SIGHT_FROM = 0.2  # m of depth from which an object counts as seen
BESIDE = 1.0  # m along the centre line within which a car stands on the other lane
WALK = 0.1  # m: steps in which a place that is not taken is looked for


@njit
def watch_racers(i, together, cars, absent, row, first, segments, closed):
    """Take the other racers of a car's group into its row, from index `first` on."""
    k = first
    for j in range(i // together * together, (i // together + 1) * together):
        if j == i:
            continue
        thing, other = row[k], cars[j]
        thing.x = other.x + 0.5 * WHEELBASE * math.cos(other.heading)
        thing.y = other.y + 0.5 * WHEELBASE * math.sin(other.heading)
        thing.heading, thing.speed = other.heading, other.speed
        thing.kind = NOTHING if absent[j] else RACER
        find(thing, segments, closed, other.segment)
        k += 1


@njit
def corner_inside(x, y, cos, sin, long, wide, other):
    """Whether a corner of a rectangle lies in another one. other: (x, y, cos, sin, half length, half width)."""
    for k in range(4):
        along, across = long if k < 2 else -long, wide if k % 2 == 0 else -wide
        dx, dy = x + along * cos - across * sin - other[0], y + along * sin + across * cos - other[1]
        if abs(dx * other[2] + dy * other[3]) <= other[4] and abs(dy * other[2] - dx * other[3]) <= other[5]:
            return True
    return False


@njit
def hits(car, thing):
    """Whether a corner of the car's rectangle lies in an object's, or the other way round."""
    if thing.kind == NOTHING:
        return False
    margin = BOX_MARGIN if thing.kind < BOT_CAR else 0.0
    long, wide = thing.half_length + margin, thing.half_width + margin
    reach = long + wide + CAR_HALF_LENGTH + CAR_HALF_WIDTH + 0.5 * WHEELBASE  # more than enough, and cheap
    if abs(car.x - thing.x) > reach or abs(car.y - thing.y) > reach:
        return False
    cos, sin = math.cos(car.heading), math.sin(car.heading)
    x, y = car.x + 0.5 * WHEELBASE * cos, car.y + 0.5 * WHEELBASE * sin
    thing_cos, thing_sin = math.cos(thing.heading), math.sin(thing.heading)
    other = (thing.x, thing.y, thing_cos, thing_sin, long, wide)
    mine = (x, y, cos, sin, CAR_HALF_LENGTH, CAR_HALF_WIDTH)
    if corner_inside(x, y, cos, sin, CAR_HALF_LENGTH, CAR_HALF_WIDTH, other):
        return True
    return corner_inside(thing.x, thing.y, thing_cos, thing_sin, long, wide, mine)


@njit
def ahead_of(distance, other, closed, length):
    """Metres along the centre line from `distance` to `other`, on a loop from 0 to its length."""
    gap = other - distance
    return gap % length if closed else gap


@njit
def hit_object(car, row, closed, length):
    """Index of the object that the car has driven into, or -1. Of two racers the one behind has."""
    for k in range(len(row)):
        if hits(car, row[k]):
            middle = car.distance - FRONT + 0.5 * WHEELBASE
            gap = ahead_of(middle, row[k].distance, closed, length)
            if row[k].kind != RACER or 0.0 <= gap < 0.5 * length:
                return k
    return -1


@njit
def write_closest(i, car, row, closed, length, closest):
    """closest_objects: the nearest one behind and ahead along the centre line; where none is, the other one."""
    behind, ahead = -1, -1
    least_behind, least_ahead = math.inf, math.inf
    for k in range(len(row)):
        if row[k].kind == NOTHING:
            continue
        gap = ahead_of(car.distance, row[k].distance, closed, length)
        if gap >= 0.0 and gap < least_ahead:
            ahead, least_ahead = k, gap
        gap = ahead_of(row[k].distance, car.distance, closed, length)
        if gap >= 0.0 and gap < least_behind:
            behind, least_behind = k, gap
    if behind < 0:
        behind = max(ahead, 0)
    if ahead < 0:
        ahead = behind
    closest[i, 0], closest[i, 1] = behind, ahead
    return ahead


@njit
def in_sight(car, thing, lens, cameras):
    """Whether a corner of the object's rectangle on the ground, or its middle, lies within one of the frames."""
    if thing.kind == NOTHING:
        return False
    cos, sin, focal = math.cos(thing.heading), math.sin(thing.heading), lens[FOCAL_LENGTH]
    for number in range(len(cameras)):
        view = view_of(car, cameras[number], lens)
        for k in range(5):
            along = 0.0 if k == 4 else (thing.half_length if k < 2 else -thing.half_length)
            across = 0.0 if k == 4 else (thing.half_width if k % 2 == 0 else -thing.half_width)
            x, y = thing.x + along * cos - across * sin, thing.y + along * sin + across * cos
            left, below, depth = to_camera(view, x, y, 0.0)
            wide, high = 0.5 * WIDTH * depth, 0.5 * HEIGHT * depth
            if depth >= SIGHT_FROM and abs(left) * focal <= wide and abs(below) * focal <= high:
                return True
    return False


@kernel(
    void(
        int64, int64, boolean[::1], boolean, CARS, OBJECTS, BOTS, boolean[::1], int64, float64[::1],
        TABLE, TABLE, boolean, float64, float64[:, ::1], float64[::1],
        float64[:, :, ::1], boolean[:, ::1], float64[:, ::1], float64[:, ::1], float64[:, ::1], float64[:, ::1],
        int64[:, ::1], boolean[:, ::1], int64[::1], int8[::1], boolean[:, ::1],
    )
)  # fmt: skip
def meet_objects(
    first, last, mask, step, cars, objects, bots, absent, together, rules, segment_tables, border_tables, closed,
    length, lenses, cameras, location, left, speed, heading, center, distance, closest, flags, hit, status, ended,
):  # fmt: skip
    """After the cars have moved: the masked ones of cars first..last-1 see where their objects are now.

    step: a policy step has passed, in which bots drove and cars may have crashed. lenses: one for all cars or one
    each."""
    bot_count, racers = bots.shape[1], together - 1
    boxes = objects.shape[1] - bot_count - racers
    for i in range(first, last):
        if not mask[i]:
            continue
        car, row = cars[i], objects[i]
        segments, borders = segment_tables[car.direction], border_tables[car.direction]
        for k in range(bot_count):
            thing, bot = row[boxes + k], bots[i, k]
            if step:
                drive_bot(bot, rules)
            at = (bot.start + bot.travelled) % length
            if step or racers > 0:
                stand(thing, bot, rules[CHANGE_DISTANCE], at, segments, borders, closed, length)
                find(thing, segments, closed, segment_at(segments, at))
        if racers > 0:
            watch_racers(i, together, cars, absent, row, boxes + bot_count, segments, closed)
        for k in range(boxes if step else 0, len(row)):  # boxes stay where they were
            thing = row[k]
            location[i, k, 0], location[i, k, 1] = thing.x, thing.y
            left[i, k], speed[i, k] = thing.offset > 0.0, thing.speed
            moves = thing.speed > 0.0 or thing.kind == RACER
            heading[i, k] = math.degrees(thing.heading) if moves else 0.0
            center[i, k], distance[i, k] = abs(thing.offset), thing.distance
        ahead = write_closest(i, car, row, closed, length, closest)
        lens = lenses[i if len(lenses) > 1 else 0]
        flags[OBJECT_SEEN, i] = in_sight(car, row[ahead], lens, cameras)
        if step and not absent[i]:
            k = hit_object(car, row, closed, length)
            hit[i], flags[CRASHED, i] = k, k >= 0
            if k >= 0 and status[i] != LAP_COMPLETE:
                status[i] = CRASH
                ended[TERMINATED, i], ended[TRUNCATED, i] = True, False


@njit
def taken(i, car, objects, together, mask):
    """Whether a car would stand in one of its objects; racers that are still to be placed do not count."""
    row = objects[i]
    first = len(row) - together + 1
    for k in range(len(row)):
        if k >= first:
            j = i // together * together + k - first
            if mask[j if j < i else j + 1]:
                continue
        if hits(car, row[k]):
            return True
    return False


@kernel(
    void(
        boolean[::1], CARS, OBJECTS, int64, TABLE, boolean, float64, float64, float64[:, ::1], float64, boolean
    )
)  # fmt: skip
def clear_places(mask, cars, objects, together, segment_tables, closed, length, lane, places, walk, aside):
    """Move the masked cars' `places` (see stand_cars) to where they stand in nothing.

    aside: beside an object within BESIDE metres a car stands on the other lane, `lane` metres from the centre line.
    walk: metres, with sign, in which places along the centre line are tried."""
    for i in range(len(cars)):
        if not mask[i]:
            continue
        car, row, segments = cars[i], objects[i], segment_tables[cars[i].direction]
        if aside:
            nearest = BESIDE
            for k in range(len(row) - together + 1):
                gap = abs(row[k].distance - places[0, i])
                gap = min(gap, length - gap) if closed else gap
                if row[k].kind != NOTHING and gap < nearest:
                    nearest, places[1, i] = gap, math.copysign(lane, -row[k].offset)
        for _ in range(int(length / abs(walk))):
            pose_at(car, segments, closed, length, places[0, i], places[1, i])
            if not taken(i, car, objects, together, mask):
                break
            places[0, i] += walk
            if closed:
                places[0, i] = places[0, i] % length
