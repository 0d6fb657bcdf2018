"""Boxes and cars in a camera frame: cuboids with shaded sides, far ones before near ones, cut off at the near plane.

Camera coordinates, metres: left, below, depth along the optical axis. A pixel's column is 80 - focal * left / depth,
its row 60 + focal * below / depth; a pixel belongs to a side that covers its centre.
"""

import math

import numpy as np
from numba import float64, from_dtype, int64, njit, uint8, uint64

from kuberacer.sim.noise_kernels import HEIGHT, WIDTH, shown

CAMERA_AHEAD = 0.145
NEAR = 0.02  # m; nearer parts are cut off
STRIPES_WITHIN = 5.0  # m
NO_BAND = (0.0, 0.0, 0.0, 0.0)
NOTHING, BOX, STRIPED_BOX, TAPED_BOX, BOT_CAR, RACER = range(-1, 5)
LENS_HEIGHT, COS_PITCH, SIN_PITCH, FOCAL_LENGTH = range(4)  # columns of the cameras' lenses
AMBIENT, SUN, SUN_X, SUN_Y = 0.78, 0.17, 0.8, 0.6  # light on the sides; the top has it all
LEFT, BELOW, DEPTH = range(3)

OBJECT = np.dtype(
    [
        ("x", "f8"), ("y", "f8"), ("heading", "f8"),  # of its middle; radians
        ("speed", "f8"),
        ("distance", "f8"), ("offset", "f8"),  # along the centre line, and to the left of it
        ("half_length", "f8"), ("half_width", "f8"), ("height", "f8"),
        ("grey", "f8"),
        ("kind", "i8"),  # index into scene.KINDS; -1: not on the track
    ]
)  # fmt: skip
OBJECTS = from_dtype(OBJECT)[:, ::1]


@njit
def to_camera(view, x, y, z):
    """Camera coordinates of a point of the world. view: (x, y, height, cos and sin of yaw and pitch)."""
    camera_x, camera_y, height, cos, sin, cos_pitch, sin_pitch = view
    dx, dy, down = x - camera_x, y - camera_y, height - z
    ahead = dx * cos + dy * sin
    return dy * cos - dx * sin, down * cos_pitch - ahead * sin_pitch, ahead * cos_pitch + down * sin_pitch


@njit
def view_of(car, sideways, lens):
    """The camera `sideways` metres left of the car's middle."""
    cos, sin = math.cos(car.heading), math.sin(car.heading)
    x = car.x + CAMERA_AHEAD * cos - sideways * sin
    y = car.y + CAMERA_AHEAD * sin + sideways * cos
    return x, y, lens[LENS_HEIGHT], cos, sin, lens[COS_PITCH], lens[SIN_PITCH]


@njit(error_model="numpy")
def fill_polygon(pixels, start, corners, count, focal, grey):
    """Fill a convex polygon that lies behind the near plane: corners[:count] in camera coordinates."""
    highest, top, bottom = 0, math.inf, -math.inf
    for k in range(count):
        inverse = focal / corners[k, DEPTH]
        corners[k, LEFT] = 0.5 * WIDTH - corners[k, LEFT] * inverse
        row = 0.5 * HEIGHT + corners[k, BELOW] * inverse
        corners[k, BELOW] = row
        bottom = max(bottom, row)
        if row < top:
            highest, top = k, row
    # Two edges bound each row: one of those that follow the highest corner, one of those before it.
    one = other = highest
    x0 = x1 = y0 = y1 = slope0 = slope1 = 0.0
    next0 = next1 = -math.inf
    for r in range(row_from(top), row_from(bottom)):
        middle = r + 0.5
        while next0 <= middle:
            x0, y0 = corners[one, LEFT], corners[one, BELOW]
            one = one + 1 if one + 1 < count else 0
            next0 = corners[one, BELOW]
            slope0 = (corners[one, LEFT] - x0) / (next0 - y0)
        while next1 <= middle:
            x1, y1 = corners[other, LEFT], corners[other, BELOW]
            other = other - 1 if other > 0 else count - 1
            next1 = corners[other, BELOW]
            slope1 = (corners[other, LEFT] - x1) / (next1 - y1)
        at0, at1 = x0 + (middle - y0) * slope0, x1 + (middle - y1) * slope1
        begin, end = column_from(min(at0, at1)), column_from(max(at0, at1))
        for k in range(start + r * WIDTH + begin, start + r * WIDTH + end):
            pixels[uint64(k)] = grey


@njit
def row_from(y):
    """The first row whose pixels' centres lie at y or below it, within the frame."""
    return int64(min(max(math.ceil(y - 0.5), 0.0), float64(HEIGHT)))


@njit
def column_from(x):
    return int64(min(max(math.ceil(x - 0.5), 0.0), float64(WIDTH)))


@njit(error_model="numpy")
def draw_quad(pixels, start, quad, clipped, focal, grey):
    """Cut four corners (4, 3) off at the near plane and fill what is left. clipped (8, 3): scratch."""
    count, before = 0, 3
    for k in range(4):
        d0, d1 = quad[before, DEPTH] - NEAR, quad[k, DEPTH] - NEAR
        if (d0 >= 0.0) != (d1 >= 0.0):
            share = d0 / (d0 - d1)
            for axis in range(3):
                clipped[count, axis] = quad[before, axis] + share * (quad[k, axis] - quad[before, axis])
            count += 1
        if d1 >= 0.0:
            for axis in range(3):
                clipped[count, axis] = quad[k, axis]
            count += 1
        before = k
    if count >= 3:
        fill_polygon(pixels, start, clipped, count, focal, grey)


@njit(error_model="numpy")
def shade(grey, light, lookup):
    return shown(uint8(min(max(grey * light, 0.0), 255.0)), lookup)


@njit(error_model="numpy")
def draw_cuboid(pixels, start, view, focal, body, box, band, band_grey, scratch, lookup):
    """body: (x, y, cos, sin) of the middle and the heading. box: half length, half width, bottom, top, grey.

    band: a stripe on each side, as shares of its width and height: left, right, bottom, top; none when left = right."""
    x, y, cos, sin = body
    half_length, half_width, low, high, grey = box
    quad, clipped = scratch
    for side in range(4):
        # Outward normal, half the side's width, and its distance from the middle.
        normal_x, normal_y = (cos, sin) if side < 2 else (-sin, cos)
        away, half = (half_length, half_width) if side < 2 else (half_width, half_length)
        if side % 2 == 1:
            normal_x, normal_y = -normal_x, -normal_y
        middle_x, middle_y = x + away * normal_x, y + away * normal_y
        if (view[0] - middle_x) * normal_x + (view[1] - middle_y) * normal_y <= 0.0:
            continue
        light = AMBIENT + SUN * (SUN_X * normal_x + SUN_Y * normal_y)
        for stripe in range(1 if band[0] == band[1] else 2):
            a, b, c, d = (0.0, 1.0, 0.0, 1.0) if stripe == 0 else band
            for k in range(4):
                t = half * (2.0 * (a if k == 0 or k == 3 else b) - 1.0)
                z = low + (high - low) * (c if k < 2 else d)
                left, below, depth = to_camera(view, middle_x - t * normal_y, middle_y + t * normal_x, z)
                quad[k, LEFT], quad[k, BELOW], quad[k, DEPTH] = left, below, depth
            tone = shade(grey if stripe == 0 else band_grey, light, lookup)
            draw_quad(pixels, start, quad, clipped, focal, tone)
    if view[2] > high:
        for k in range(4):
            along, across = half_length if k in (0, 1) else -half_length, half_width if k in (1, 2) else -half_width
            corner_x, corner_y = x + along * cos - across * sin, y + along * sin + across * cos
            left, below, depth = to_camera(view, corner_x, corner_y, high)
            quad[k, LEFT], quad[k, BELOW], quad[k, DEPTH] = left, below, depth
        draw_quad(pixels, start, quad, clipped, focal, shade(grey, 1.0, lookup))


@njit(error_model="numpy")
def draw_object(pixels, start, view, focal, thing, near, scratch, lookup):
    """A box with its stripe or tape; a car as its body, wheels as a dark stripe, and the darker cabin on top. Stripes
    only when it is near: on what is a few pixels high they would not show."""
    body = thing.x, thing.y, math.cos(thing.heading), math.sin(thing.heading)
    long, wide, high, grey = thing.half_length, thing.half_width, thing.height, thing.grey
    if thing.kind < BOT_CAR:
        band, band_grey = (0.44, 0.56, 0.0, 1.0), 0.7 * grey
        if thing.kind == STRIPED_BOX:
            band, band_grey = (0.0, 1.0, 0.35, 0.65), 240.0
        elif thing.kind == TAPED_BOX:
            band, band_grey = (0.35, 0.65, 0.0, 1.0), 45.0
        if not near:
            band = NO_BAND
        draw_cuboid(pixels, start, view, focal, body, (long, wide, 0.0, high, grey), band, band_grey, scratch, lookup)
        return
    waist = 0.6 * high
    box = (long, wide, 0.0, waist, grey)
    band = (0.0, 1.0, 0.0, 0.35) if near else NO_BAND
    draw_cuboid(pixels, start, view, focal, body, box, band, 28.0, scratch, lookup)
    box = (0.55 * long, 0.8 * wide, waist, high, 0.55 * grey)
    draw_cuboid(pixels, start, view, focal, body, box, NO_BAND, 0.0, scratch, lookup)


@njit(error_model="numpy")
def may_be_seen(view, focal, thing):
    """False only for what lies behind the camera or beside what it sees."""
    dx, dy = thing.x - view[0], thing.y - view[1]
    radius = math.hypot(thing.half_length, thing.half_width)
    ahead = dx * view[3] + dy * view[4] + radius
    left = dy * view[3] - dx * view[4]
    return ahead > 0.0 and (abs(left) - radius) * focal <= 0.5 * WIDTH * (ahead + view[2])


@njit(error_model="numpy")
def draw_objects(pixels, start, car, sideways, lens, things, scratch, lookup):
    """Draw a row of objects over a frame: the farthest first."""
    view, focal = view_of(car, sideways, lens), lens[FOCAL_LENGTH]
    drawn = math.inf
    last = -1
    for _ in range(len(things)):
        # The next nearer one; of two as far away the one with the smaller index.
        found, farthest = -1, -1.0
        for k in range(len(things)):
            if things[k].kind == NOTHING or not may_be_seen(view, focal, things[k]):
                continue
            away = (things[k].x - view[0]) ** 2 + (things[k].y - view[1]) ** 2
            if (away < drawn or (away == drawn and k > last)) and away > farthest:
                found, farthest = k, away
        if found < 0:
            return
        drawn, last = farthest, found
        draw_object(pixels, start, view, focal, things[found], farthest < STRIPES_WITHIN**2, scratch, lookup)
