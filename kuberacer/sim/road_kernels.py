"""Where points lie on the road: kernels over the tables of geometry.py.

Lengths in metres. `segments` and `borders` are the tables of one driving direction.
"""

import math

from numba import njit

PROJECTION_WINDOW, ROAD_WINDOW = 1.0, 1.5  # m along the centre line to both sides of where the car was
# Columns of the segments
X0, Y0, TANGENT_X, TANGENT_Y, LENGTH, START = range(6)


@njit
def squared_distance(segment, x, y):
    """Of (x, y) to one segment of the centre line, and how far along the segment the nearest point is."""
    dx, dy = x - segment[X0], y - segment[Y0]
    along = min(max(dx * segment[TANGENT_X] + dy * segment[TANGENT_Y], 0.0), segment[LENGTH])
    dx -= along * segment[TANGENT_X]
    dy -= along * segment[TANGENT_Y]
    return dx * dx + dy * dy, along


@njit
def nearest_segment(segments, closed, hint, x, y):
    """(segment, metres along it, squared distance) nearest to (x, y).

    Looked for within PROJECTION_WINDOW of segment `hint`, which keeps a car on its own lane where the track comes close
    to itself; on the whole line when hint < 0."""
    count = len(segments)
    best = max(hint, 0)
    least, along = squared_distance(segments[best], x, y)
    reach = PROJECTION_WINDOW if hint >= 0 else math.inf
    for side in (1, -1):
        gone, k = 0.0, best if hint < 0 else hint
        for _ in range(count - 1):
            k += side
            if k == count or k < 0:
                if not closed:
                    break
                k -= side * count
            distance, at = squared_distance(segments[k], x, y)
            if distance < least:
                best, least, along = k, distance, at
            gone += segments[k, LENGTH]
            if gone > reach:
                break
        if hint < 0 and closed:
            break
    return best, along, least


@njit
def crosses(x0, y0, x1, y1, x, y):
    """Whether the ray from (x, y) towards +x meets the edge, the half-open rule at its ends."""
    return (y0 > y) != (y1 > y) and x < (x1 - x0) * (y - y0) / (y1 - y0) + x0


@njit
def between_borders(quad, x, y):
    """Whether (x, y) lies in the piece of road between two rows: inner 0, outer 0, outer 1, inner 1."""
    inside = crosses(quad[0], quad[1], quad[2], quad[3], x, y)
    inside ^= crosses(quad[2], quad[3], quad[4], quad[5], x, y)
    inside ^= crosses(quad[4], quad[5], quad[6], quad[7], x, y)
    inside ^= crosses(quad[6], quad[7], quad[0], quad[1], x, y)
    return inside


@njit
def on_road(borders, segments, closed, near, x, y):
    """Whether (x, y) lies between inner and outer border, looked for within ROAD_WINDOW of segment `near`."""
    if between_borders(borders[near], x, y):
        return True
    count = len(borders)
    ahead, behind, gone = near, near, 0.0
    for _ in range(count // 2 + 1 if closed else count):
        ahead += 1
        if closed and ahead == count:
            ahead = 0
        behind -= 1
        if closed and behind < 0:
            behind = count - 1
        if ahead < count:
            if between_borders(borders[ahead], x, y):
                return True
            gone += 0.5 * segments[ahead, LENGTH]
        if behind >= 0:
            if between_borders(borders[behind], x, y):
                return True
            gone += 0.5 * segments[behind, LENGTH]
        if gone > ROAD_WINDOW:
            return False
    return False


@njit
def point_at(segments, distance):
    """Point of the centre line, clamped at its ends."""
    k = 0
    while k + 1 < len(segments) and segments[k + 1, START] <= distance:
        k += 1
    along = min(max(distance - segments[k, START], 0.0), segments[k, LENGTH])
    return segments[k, X0] + along * segments[k, TANGENT_X], segments[k, Y0] + along * segments[k, TANGENT_Y]
