"""The fastest lap that the simulator's car could drive on a track: what a trained model's lap is measured against.

From a standstill at the line until the front is at the line again, as an evaluation drives it, within the car's own
limits: the friction circle, motor and brake, 4 m/s, 30 degrees of steering, and at least one wheel on the road. Its
driver knows the road, and has neither a lag in the steering nor a camera nor 15 Hz; see docs/physics.md.
"""

import argparse
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kuberacer.cache import cache_folder
from kuberacer.errors import run_main
from kuberacer.sim import step_kernels as car
from kuberacer.sim.fastest_lap_path import Gates
from kuberacer.sim.fastest_lap_road import Road
from kuberacer.sim.fastest_lap_solver import Drive, improve
from kuberacer.sim.fastest_lap_speed import seconds
from kuberacer.sim.randomization import SPEED_LAG
from kuberacer.sim.track import Track, load_track, own_tracks

# Metres between gates, and between the knots of the path's spline: coarse first, each level beside the path found last.
LEVELS = ((0.3, 1.0), (0.3, 1.0), (0.2, 0.5), (0.15, 0.4), (0.1, 0.3), (0.075, 0.2))
LONG = 80.0  # m; on a longer track the gates are wider apart in proportion
LIMITS = (car.FRICTION, car.GRAVITY, car.MAX_ACCELERATION, car.MAX_SPEED, car.MAX_STEERING_DEG, SPEED_LAG)
BODY = (car.WHEELBASE, car.WHEEL_TRACK, car.FRONT)
EXAMPLE = """examples:
  python -m kuberacer.sim.fastest_lap
  python -m kuberacer.sim.fastest_lap --picture laps.png hairpin path/to/route.npy"""


@dataclass(frozen=True, eq=False)
class FastestLap:
    """seconds: of the lap. path (n, 2): metres, of the middle of the rear axle, from the standing car to the finish.
    speed (n,): m/s there. time (n,): seconds since the start."""

    seconds: float
    path: np.ndarray
    speed: np.ndarray
    time: np.ndarray


def fastest_lap(track: Track, reverse: bool = False) -> FastestLap:
    """The lap as the route is written, or the other way; a few seconds of work, remembered in the cache folder."""
    route = track.route()[::-1] if reverse else track.route()
    file = cache_folder() / "fastest-laps" / f"{_digest(route)}.npy"
    rows = _remembered(file)
    if rows is None:
        rows = _rows(_solve(route, LEVELS))
        _remember(file, rows)
    return FastestLap(float(rows[-1, 3]), rows[:, :2], rows[:, 2], rows[:, 3])


def _solve(route: np.ndarray, levels: tuple[tuple[float, float], ...]) -> Drive:
    road = Road(route)
    wider = max(1.0, road.length / LONG)
    found, path = None, road.middle
    for spacing, knots in levels:
        found = improve(Gates(road, path, wider * spacing), wider * knots)
        path = found.shape.points
    assert found is not None
    return found


def _rows(drive: Drive) -> np.ndarray:
    """(n, 4): x, y, speed, time; the last one at the finish, where the drive's share of a segment ends."""
    taken = seconds(drive.shape.lengths, drive.squares)
    rows = np.column_stack([drive.shape.points, np.sqrt(drive.squares), np.append(0.0, np.cumsum(taken))])
    inside = int(np.count_nonzero(drive.share))
    share = drive.share[inside - 1]
    last = (1.0 - share) * rows[inside - 1] + share * rows[inside]
    return np.vstack([rows[:inside], last])


def _digest(route: np.ndarray) -> str:
    """Of all that the lap follows from: the road, the car, and the way of computing."""
    digest = hashlib.sha256(np.ascontiguousarray(route, "<f8").tobytes())
    digest.update(repr((LEVELS, LONG, LIMITS, BODY)).encode())
    for file in sorted(Path(__file__).parent.glob("fastest_lap*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _remembered(file: Path) -> np.ndarray | None:
    try:
        rows = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return rows if rows.ndim == 2 and rows.shape[1] == 4 and len(rows) and np.isfinite(rows).all() else None


def _remember(file: Path, rows: np.ndarray) -> None:
    """Best effort: whole or not at all."""
    partial = file.with_name(f".{file.stem}.{os.getpid()}.npy")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(partial, rows)
        partial.replace(file)
    except OSError:
        partial.unlink(missing_ok=True)


def draw_sheet(tracks: list[Track], path: Path) -> None:
    """Write one PNG with the fastest laps' paths from above, coloured by speed."""
    from matplotlib.figure import Figure

    columns = min(4, len(tracks))
    rows = -(-len(tracks) // columns)
    figure = Figure(figsize=(4.2 * columns, 3.6 * rows), facecolor="white", layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False)
    for panel, track in zip(panels.flat, tracks, strict=False):
        lap = fastest_lap(track)
        route = track.route()
        panel.fill(*np.vstack([route[:, 2:4], route[::-1, 4:]]).T, color="#3c4650", linewidth=0)
        dots = panel.scatter(*lap.path.T, c=lap.speed, s=5, cmap="viridis", vmin=0.0, vmax=car.MAX_SPEED)
        panel.set_title(f"{track.name}: {lap.seconds:.2f} s", fontsize=11)
        panel.set_aspect("equal")
    for panel in panels.flat:
        panel.set_axis_off()
    figure.colorbar(dots, ax=panels, label="m/s", shrink=0.6)
    figure.savefig(path, dpi=100)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tracks", nargs="*", metavar="TRACK", help="own track's name or path of a .npy (default: all)")
    parser.add_argument("--picture", type=Path, metavar="PNG", help="also draw the paths into this file")
    options = parser.parse_args()
    tracks = [load_track(name) for name in options.tracks or own_tracks()]
    for track in tracks:
        print(f"{track.name:24} {track.length:6.2f} m  {fastest_lap(track).seconds:7.3f} s", flush=True)
    if options.picture:
        draw_sheet(tracks, options.picture)


if __name__ == "__main__":
    run_main(main)
