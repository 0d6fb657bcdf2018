"""What a route must fulfil to be driven on; every fault is named with its row."""

import itertools

import numpy as np

from kuberacer.errors import UserError

MIN_ROWS, MAX_ROWS = 8, 10_000
MIN_WIDTH, MAX_WIDTH = 0.05, 20.0  # m
MIN_LENGTH, MAX_LENGTH = 2.0, 1_000.0  # m
MAX_FILE_BYTES = 8 << 20
SAME_POINT = 1e-6  # m
CLOSED_WITHIN = 1e-3  # m between the first and the last row of a loop


def validate_route(array: np.ndarray, name: str) -> np.ndarray:
    """The route as float64 (N, 6), C-contiguous. Raises UserError that names the first fault found.

    Rows are counted from 0. Neighbouring rows with the same centre point are no fault: real routes have them.
    """
    route = _check_table(array, name)
    _check_widths(route, name)
    _check_center_line(route, name)
    _check_crossings(route, name)
    return route


def _fault(name: str, what: str, remedy: str) -> UserError:
    return UserError(f"track {name}: {what}", remedy)


def _check_table(array: np.ndarray, name: str) -> np.ndarray:
    columns = "a route has the columns centre x, y, inner x, y, outer x, y in metres"
    if array.ndim != 2 or array.shape[1] != 6:
        raise _fault(name, f"wrong shape {array.shape}, expected (N, 6)", columns)
    if array.dtype.kind not in "fiu":
        raise _fault(name, f"wrong dtype {array.dtype}, expected float64", columns)
    if not MIN_ROWS <= len(array) <= MAX_ROWS:
        raise _fault(
            name, f"{len(array)} rows, expected {MIN_ROWS} to {MAX_ROWS}", "resample the route to 5–20 cm a row"
        )
    route = np.ascontiguousarray(array, dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(route).all(axis=1))
    if len(bad):
        kind = "NaN" if np.isnan(route[bad[0]]).any() else "an infinite value"
        raise _fault(name, f"{kind} at row {bad[0]}", "remove the row or fill in its coordinates")
    return route


def _check_widths(route: np.ndarray, name: str) -> None:
    center, inner, outer = route[:, :2], route[:, 2:4], route[:, 4:]
    across = outer - inner
    width = np.hypot(*across.T)
    narrow = np.flatnonzero(width < MIN_WIDTH)
    if len(narrow):
        raise _fault(name, f"zero width at row {narrow[0]}", "inner and outer border must lie on the road's two sides")
    wide = np.flatnonzero(width > MAX_WIDTH)
    if len(wide):
        raise _fault(name, f"{width[wide[0]]:.1f} m wide at row {wide[0]}, at most {MAX_WIDTH:.0f} m", "use metres")
    along = ((center - inner) * across).sum(axis=1) / width**2
    beside = np.abs(_cross(center - inner, across)) / width
    outside = np.flatnonzero((along <= 0.0) | (along >= 1.0) | (beside > 0.5 * width))
    if len(outside):
        raise _fault(
            name, f"the centre is not between the borders at row {outside[0]}", "check the order of the columns"
        )


def _check_center_line(route: np.ndarray, name: str) -> None:
    center = route[:, :2]
    steps = np.hypot(*np.diff(center, axis=0).T)
    length = steps.sum()
    if not MIN_LENGTH <= length <= MAX_LENGTH:
        raise _fault(name, f"{length:.2f} m long, expected {MIN_LENGTH:.0f} to {MAX_LENGTH:.0f} m", "use metres")
    distinct = center[np.flatnonzero(np.append(steps > SAME_POINT, True))]
    if len(distinct) < MIN_ROWS:
        raise _fault(name, f"only {len(distinct)} different centre points", "resample the route to 5–20 cm a row")
    # The closing row of a loop is the one repetition that belongs there.
    closed = np.hypot(*(center[0] - center[-1])) < CLOSED_WITHIN
    cells = np.round((center[:-1] if closed else center) / (10 * SAME_POINT)).astype(np.int64)
    last_seen: dict[tuple[int, ...], int] = {}
    for row, cell in enumerate(map(tuple, cells.tolist())):
        before = last_seen.get(cell, row)
        if before < row - 1:
            raise _fault(name, f"centre point of row {before} repeated at row {row}", "give one lap, each point once")
        last_seen[cell] = row


def _check_crossings(route: np.ndarray, name: str) -> None:
    center, inner, outer = route[:, :2], route[:, 2:4], route[:, 4:]
    crossing = first_crossing(inner, outer)
    if crossing:
        raise _fault(
            name, f"the borders cross at rows {crossing[0]} (inner) and {crossing[1]} (outer)", "keep the borders apart"
        )
    crossing = first_crossing(center, center)
    if crossing:
        raise _fault(
            name, f"the centre line crosses itself at rows {crossing[0]} and {crossing[1]}", "roads on one level only"
        )


def first_crossing(a: np.ndarray, b: np.ndarray) -> tuple[int, int] | None:
    """First rows (i, j) where segment i of polyline a (N, 2) properly crosses segment j of b (M, 2), or None."""
    b0, b1 = b[:-1], b[1:]
    low, high = np.minimum(b0, b1), np.maximum(b0, b1)
    for i, (p, q) in enumerate(itertools.pairwise(a)):
        near = np.flatnonzero(((low <= np.maximum(p, q)) & (high >= np.minimum(p, q))).all(axis=1))
        if not len(near):
            continue
        start, end = b0[near], b1[near]
        apart = _cross(q - p, start - p) * _cross(q - p, end - p)
        across = _cross(end - start, p - start) * _cross(end - start, q - start)
        hits = near[(apart < 0) & (across < 0)]
        if len(hits):
            return i, int(hits[0])
    return None


def _cross(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]
