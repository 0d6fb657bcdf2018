"""A value by place on the track: its mean over the steps in each cell of a grid."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh

from kuberacer.report.plots import draw_track
from kuberacer.sim.track import Track

CELL = 0.1  # m
MARGIN = 0.5  # m around the borders


def mean_by_place(
    track: Track, x: np.ndarray, y: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(edges of the columns, edges of the rows, mean (rows, columns), NaN where nothing was, counts of steps).

    x, y: metres, values: (n,). What lies more than MARGIN beyond the borders counts in the grid's outermost cells.
    """
    corners = np.concatenate([track.inner, track.outer])
    low, high = corners.min(axis=0) - MARGIN, corners.max(axis=0) + MARGIN
    columns, rows = (np.arange(low[axis], high[axis] + CELL, CELL) for axis in (0, 1))
    column = np.digitize(x, columns[1:-1])
    row = np.digitize(y, rows[1:-1])
    cell, shape = row * (len(columns) - 1) + column, (len(rows) - 1, len(columns) - 1)
    counts = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape)
    sums = np.bincount(cell, values, shape[0] * shape[1]).reshape(shape)
    return columns, rows, sums / np.where(counts > 0, counts, np.nan), counts


def draw_by_place(axes: Axes, track: Track, x: np.ndarray, y: np.ndarray, values: np.ndarray) -> QuadMesh:
    """Draw mean_by_place over the track; returns what a colour bar is made of. Its range leaves out the outermost
    cells, 2 % on each side."""
    columns, rows, mean, _ = mean_by_place(track, x, y, values)
    low, high = np.nanpercentile(mean, [2, 98])
    mesh = axes.pcolormesh(columns, rows, mean, cmap="viridis", vmin=low, vmax=max(high, low + 1e-9))
    draw_track(axes, track)
    return mesh
