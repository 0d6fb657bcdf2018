"""Sim traces as arrays, for whoever computes over many steps."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from kuberacer.errors import UserError
from kuberacer.formats.simtrace import HEADER, read_trace

# As TraceRow's, and the iteration that the file is of. action: the index, or both parts of a continuous one.
COLUMNS = np.dtype(
    [
        ("episode", "i8"), ("steps", "i8"), ("x", "f8"), ("y", "f8"), ("yaw", "f8"), ("steer", "f8"),
        ("throttle", "f8"), ("action", "f8", (2,)), ("reward", "f8"), ("done", "?"), ("all_wheels_on_track", "?"),
        ("progress", "f8"), ("closest_waypoint", "i8"), ("track_len", "f8"), ("tstamp", "f8"),
        ("episode_status", "U12"), ("pause_duration", "f8"), ("obstacle_crash_counter", "i8"), ("wall_clock", "f8"),
        ("iteration", "i8"),
    ]
)  # fmt: skip
FIELDS = HEADER.count(",") + 1
_TRUTH = {"True": True, "1": True, "False": False, "0": False}


def read_columns(path: Path, iteration: int = 0) -> np.ndarray:
    """The steps of a trace file (n,) of COLUMNS, in the file's order; a discrete action's second part is NaN.

    Raises UserError naming file, line and fault.
    """
    with path.open(encoding="utf-8") as file:
        lines = file.read().splitlines()
    rows = [line.strip().split(",") for line in lines[lines[:1] == [HEADER] :] if line.strip()]
    table = np.empty(len(rows), COLUMNS)
    table["iteration"] = iteration
    try:
        if any(len(row) != FIELDS for row in rows):
            raise ValueError("a line of too many or too few fields")
        for name, cells in zip((COLUMNS.names or ())[:FIELDS] if rows else (), zip(*rows, strict=True), strict=True):
            table[name] = _column(name, cells)
    except (ValueError, KeyError, OverflowError) as error:
        for _ in read_trace(path):  # names the line
            pass
        raise UserError(f"sim trace {path}: {error}", "give a trace as DeepRacer or KubeRacer writes it") from error
    return table


def _column(name: str, cells: tuple[str, ...]) -> np.ndarray | list:
    kind = COLUMNS[name]
    if name == "action":
        return [_action(cell) for cell in cells]
    if kind == np.dtype("?"):
        return [_TRUTH[cell] for cell in cells]
    return np.array(cells).astype(kind)


def _action(cell: str) -> tuple[float, float]:
    if not cell.startswith("["):
        return float(int(cell)), np.nan
    steering, speed = cell[1:-1].split()
    return float(steering), float(speed)


def iterations_of(folder: Path) -> dict[int, Path]:
    """The iterations, from 1, with the trace files of a training's folder in their order: N-iteration.csv, N from 0."""
    found = {path.name.removesuffix("-iteration.csv"): path for path in folder.glob("*-iteration.csv")}
    return {int(number) + 1: found[number] for number in sorted(filter(str.isdecimal, found), key=int)}


def read_iterations(files: Iterable[tuple[int, Path]]) -> np.ndarray:
    """The steps (n,) of several iterations, in the order of their files."""
    return np.concatenate([np.empty(0, COLUMNS), *(read_columns(path, number) for number, path in files)])


def pieces(table: np.ndarray) -> np.ndarray:
    """(n,) numbers, from 0, of the episodes that the steps belong to, in order of appearance.

    A training that was resumed uses the number of an episode that it lost again: where the steps begin anew, another
    episode does, too.
    """
    order = np.lexsort((np.arange(len(table)), table["episode"]))
    sorted_rows = table[order]
    begins = np.ones(len(table), bool)
    begins[1:] = (np.diff(sorted_rows["episode"]) != 0) | (np.diff(sorted_rows["steps"]) <= 0)
    number = np.cumsum(begins) - 1
    found = np.empty(len(table), np.int64)
    found[order] = number
    _, first, back = np.unique(found, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[back]
