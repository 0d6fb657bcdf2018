"""Boxes and bots: where they stand at an episode's beginning, and how bots drive along their lanes.

They are drawn from (seed, group of cars that share a track, episode of its first car) alone.
"""

import math

import numpy as np
from numba import boolean, float64, from_dtype, int64, njit, uint64, void

from kuberacer.sim.kernel_cache import kernel
from kuberacer.sim.noise_kernels import mix
from kuberacer.sim.road_kernels import LENGTH, START, TANGENT_X, TANGENT_Y, X0, Y0, nearest_segment
from kuberacer.sim.solid_kernels import OBJECTS
from kuberacer.sim.step_kernels import CARS, POLICY_STEP, TABLE

LANE = 0.5  # of the way from the centre line to a border
GREY_SHIFT = 40.0  # grey levels that randomisation makes an object brighter or darker
# Columns of what chance may do with boxes and with bots, rows of `chances`
LOW, HIGH, SPACING, RANDOM = range(4)
# Rows of the plan: see scene.Layout; greys
PLAN_DISTANCE, PLAN_LANE, PLAN_GIVEN, PLAN_GREY = range(4)
BOT_SPEED, LANE_CHANGE, EVERY_LOW, EVERY_HIGH, CHANGE_DISTANCE, RANDOM_GREY = range(6)

BOT = np.dtype(
    [
        ("start", "f8"), ("travelled", "f8"),  # m along the centre line
        ("lane", "f8"),  # share of the way to the inner border: ±0.5; where the last change of lane ended
        ("change", "f8"),  # `travelled` where the next change of lane begins
        ("changes", "i8"), ("key", "u8"),
    ]
)  # fmt: skip
BOTS = from_dtype(BOT)[:, ::1]


@njit
def uniform(key, number):
    """The number-th random number of a key, 0 <= it < 1."""
    return float64(mix(key + uint64(0x9E3779B97F4A7C15) * uint64(number + 1)) >> uint64(11)) * 2.0**-53


@njit
def scene_key(seed, group, episode):
    key = mix(uint64(seed) ^ uint64(0x5DEECE66D0B3A1F7))
    key = mix(key + uint64(0x9E3779B97F4A7C15) * uint64(group + 1))
    return mix(key + uint64(0x9E3779B97F4A7C15) * uint64(episode + 1))


@njit
def segment_at(segments, distance):
    """Index of the segment that is `distance` metres along the centre line."""
    low, high = 0, len(segments) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if segments[middle, START] <= distance:
            low = middle
        else:
            high = middle - 1
    return low


@njit
def lane_point(segments, borders, closed, length, distance, share):
    """Point `distance` metres along the centre line, `share` of the way to the inner border (negative: the outer)."""
    distance = distance % length if closed else min(max(distance, 0.0), length)
    k = segment_at(segments, distance)
    segment, quad = segments[k], borders[k]
    along = min(max(distance - segment[START], 0.0), segment[LENGTH])
    part = along / segment[LENGTH] if segment[LENGTH] > 0.0 else 0.0
    x, y = segment[X0] + along * segment[TANGENT_X], segment[Y0] + along * segment[TANGENT_Y]
    if share >= 0.0:
        border_x, border_y = quad[0] + part * (quad[6] - quad[0]), quad[1] + part * (quad[7] - quad[1])
    else:
        border_x, border_y = quad[2] + part * (quad[4] - quad[2]), quad[3] + part * (quad[5] - quad[3])
    return x + abs(share) * (border_x - x), y + abs(share) * (border_y - y)


@njit
def lane_share(bot, travelled, distance_of_change):
    """Where between the lanes a bot is when it has travelled so far."""
    part = (travelled - bot.change) / distance_of_change
    part = min(max(part, 0.0), 1.0)
    return bot.lane * (1.0 - 2.0 * part * part * (3.0 - 2.0 * part))


@njit
def stand(thing, bot_or_none, change, at, segments, borders, closed, length):
    """Put an object `at` metres along the centre line: pose, distance, offset. Its lane: `offset` as a share for what
    stands (bot_or_none None), the bot's way otherwise."""
    share, step = thing.offset, 0.05
    before = after = share
    if bot_or_none is not None:
        bot = bot_or_none
        share = lane_share(bot, bot.travelled, change)
        before, after = lane_share(bot, bot.travelled - step, change), lane_share(bot, bot.travelled + step, change)
    thing.x, thing.y = lane_point(segments, borders, closed, length, at, share)
    x0, y0 = lane_point(segments, borders, closed, length, at - step, before)
    x1, y1 = lane_point(segments, borders, closed, length, at + step, after)
    thing.heading = math.atan2(y1 - y0, x1 - x0)


@njit
def find(thing, segments, closed, near):
    """Distance and offset of an object, looked for around segment `near` (everywhere when negative)."""
    k, along, squared = nearest_segment(segments, closed, near, thing.x, thing.y)
    segment = segments[k]
    left = segment[TANGENT_X] * (thing.y - segment[Y0]) - segment[TANGENT_Y] * (thing.x - segment[X0])
    thing.distance, thing.offset = segment[START] + along, math.copysign(math.sqrt(squared), left)


@njit
def wait(bot, rules):
    """Seconds until a bot changes lane again."""
    return rules[EVERY_LOW] + (rules[EVERY_HIGH] - rules[EVERY_LOW]) * uniform(bot.key, bot.changes)


@njit
def drive_bot(bot, rules):
    """One policy step of a bot along the centre line."""
    bot.travelled += rules[BOT_SPEED] * POLICY_STEP
    if bot.travelled >= bot.change + rules[CHANGE_DISTANCE]:
        bot.lane, bot.changes = -bot.lane, bot.changes + 1
        bot.change += rules[CHANGE_DISTANCE] + rules[BOT_SPEED] * wait(bot, rules)


@njit
def scatter(row, first, last, plan, chance, key, order):
    """Move objects first..last-1, in an order of chance, to places of chance between their neighbours."""
    for k in range(first, last):
        order[k] = k
    for k in range(last - 1, first, -1):
        other = first + int64(uniform(key, 4 * k) * (k - first + 1))
        order[k], order[other] = order[other], order[k]
    for j in range(first, last):
        k = order[j]
        if plan[PLAN_GIVEN, k] > 0.0:
            continue
        low = chance[LOW] if k == first else max(row[k - 1].distance + chance[SPACING], chance[LOW])
        high = chance[HIGH] if k == last - 1 else min(row[k + 1].distance - chance[SPACING], chance[HIGH])
        if low < high:
            row[k].distance = low + (high - low) * uniform(key, 4 * k + 1)
        row[k].offset = LANE if uniform(key, 4 * k + 2) < 0.5 else -LANE


@kernel(
    void(
        boolean[::1], CARS, OBJECTS, BOTS, uint64, int64, float64[:, ::1], float64[:, ::1], float64[::1],
        TABLE, TABLE, boolean, float64,
    )
)  # fmt: skip
def place_objects(
    mask, cars, objects, bots, seed, together, plan, chances, rules, segment_tables, border_tables, closed, length
):
    """Begin the masked cars' episodes: boxes and bots at their places."""
    count, boxes = plan.shape[1], plan.shape[1] - bots.shape[1]
    order = np.empty(count, np.int64)
    for i in range(len(cars)):
        if not mask[i]:
            continue
        group = i // together
        key = scene_key(seed, group, cars[group * together].episode)
        row, segments, borders = objects[i], segment_tables[cars[i].direction], border_tables[cars[i].direction]
        for k in range(count):
            row[k].distance, row[k].offset = plan[PLAN_DISTANCE, k], LANE * plan[PLAN_LANE, k]
            row[k].grey = plan[PLAN_GREY, k]
            if rules[RANDOM_GREY] > 0.0:
                row[k].grey = min(max(row[k].grey + GREY_SHIFT * (2.0 * uniform(key, 4 * k + 3) - 1.0), 10.0), 245.0)
        if chances[0, RANDOM] > 0.0:
            scatter(row, 0, boxes, plan, chances[0], key, order)
        if chances[1, RANDOM] > 0.0:
            scatter(row, boxes, count, plan, chances[1], key, order)
        for k in range(count):
            at = row[k].distance
            stand(row[k], None, 1.0, at, segments, borders, closed, length)
            if k >= boxes:
                bot = bots[i, k - boxes]
                bot.start, bot.travelled, bot.lane, bot.changes = at, 0.0, row[k].offset, 0
                bot.key = mix(key + uint64(k + 1))
                bot.change = math.inf
                if rules[LANE_CHANGE] > 0.0:
                    bot.change = rules[BOT_SPEED] * wait(bot, rules)
            find(row[k], segments, closed, segment_at(segments, at % length if closed else at))
