"""The report's pictures, each a PNG from a run's own files."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.ticker import MaxNLocator

from kuberacer.formats.race_result import TrackResult
from kuberacer.formats.simtrace import TraceRow
from kuberacer.formats.status import LABELS
from kuberacer.report.style import BLUE, GREY, ORANGE, RED, figure, png
from kuberacer.report.training_steps import INCIDENTS
from kuberacer.sim.track import Track

PENALTIES = {  # kinds of incidents, as the trials' bars show them
    "off_track": ("off track", ORANGE), "crashed": ("collision", RED),
    "immobilized": ("immobilised", GREY), "reversed": ("reversed", "#CC79A7"),
}  # fmt: skip


def trial_times(tracks: list[TrackResult], car: int = 0) -> bytes:
    """A bar a trial of one car: seconds of driving, and those that each kind of penalty took. Pale: no lap."""
    trials = [(track, trial) for track in tracks for trial in track.cars[car].trials]
    made, axes = figure(7.2, 1.3 + 0.36 * len(trials))
    names = [f"{track.track} {trial.trial}" if len(tracks) > 1 else str(trial.trial) for track, trial in trials]
    place = np.arange(len(trials))
    alpha = [1.0 if trial.completed else 0.4 for _, trial in trials]
    driving = np.array([trial.seconds - trial.penalty_seconds for _, trial in trials])
    kinds = [kind for kind in PENALTIES if any(trial.penalties.get(kind) for _, trial in trials)]
    parts = [("driving", BLUE, driving)]
    parts += [(*PENALTIES[kind], np.array([trial.penalties.get(kind, 0.0) for _, trial in trials])) for kind in kinds]
    left = np.zeros(len(trials))
    for name, colour, seconds in parts:
        bars = axes.barh(place, seconds, left=left, color=colour, height=0.7, label=name)
        for bar, strength in zip(bars, alpha, strict=True):
            bar.set_alpha(strength)
        left += seconds
    for at, end, (_, trial) in zip(place, left, trials, strict=True):
        text = f" {end:.2f} s" if trial.completed else f" {trial.progress:.0f} %, {LABELS[trial.status].lower()}"
        axes.text(end, at, text, va="center", fontsize=9)
    axes.set_yticks(place, names)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.18 * float(max(left, default=1.0)))
    axes.set_xlabel("seconds")
    axes.set_ylabel("trial")
    axes.grid(False, axis="y")
    made.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=len(parts))
    return png(made)


def path_on_track(track: Track, rows: list[TraceRow], fastest: np.ndarray | None = None) -> bytes:
    """Where the car drove, coloured by its measured speed. fastest (n, 2): the way of the fastest possible lap."""
    made, axes = figure(7.2, 5.4)
    draw_track(axes, track)
    if fastest is not None:
        axes.plot(*fastest.T, color=RED, linewidth=1.0, label="fastest possible")
    points = np.array([(row.x, row.y) for row in rows])
    if len(points) > 1:
        speeds = measured_speed(rows)[1:]
        lines = LineCollection(
            list(np.stack([points[:-1], points[1:]], axis=1)),
            array=speeds,
            cmap="viridis",
            linewidth=3,
        )
        lines.set_clim(0, np.nanmax(speeds, initial=1.0))
        axes.add_collection(lines)
        made.colorbar(lines, ax=axes, label="speed, m/s", shrink=0.7)
        axes.plot(*points[0], "o", color=ORANGE, markersize=8, label="start")
        made.legend(loc="outside lower center", ncols=2)
    return png(made)


def speed_along_lap(rows: list[TraceRow]) -> bytes:
    """Measured and commanded speed, and steering, over the lap."""
    made, (speed, steering) = figure(7.2, 3.8, nrows=2, sharex=True)
    progress = [row.progress for row in rows]
    speed.plot(progress, [row.throttle for row in rows], color=GREY, linewidth=1, label="commanded")
    speed.plot(progress, measured_speed(rows), color=BLUE, label="measured")
    speed.set_title("Speed, m/s")
    speed.set_ylim(bottom=0)
    speed.legend(loc="lower right", ncols=2)
    steering.step(progress, [row.steer for row in rows], color=ORANGE, linewidth=1)
    steering.set_title("Steering, degrees")
    steering.set_xlabel("lap, %")
    return png(made)


def count_iterations(axes: Axes) -> None:
    axes.set_xlabel("iteration")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def draw_track(axes: Axes, track: Track) -> None:
    """Borders and centre line, metres, equal scale."""
    for border in (track.inner, track.outer):
        line = np.vstack([border, border[:1]]) if track.closed else border
        axes.plot(*line.T, color=GREY, linewidth=1.2)
    center = np.vstack([track.center, track.center[:1]]) if track.closed else track.center
    axes.plot(*center.T, color=GREY, linewidth=0.8, linestyle=(0, (4, 4)))
    axes.set_aspect("equal")
    axes.grid(False)
    axes.set_xlabel("m")


def measured_speed(rows: list[TraceRow]) -> np.ndarray:
    """m/s between successive trace points (steps,); a jump (a reset on to the track) has no speed."""
    if len(rows) < 2:
        return np.full(len(rows), np.nan)
    points = np.array([(row.x, row.y) for row in rows])
    times = np.array([row.tstamp for row in rows])
    with np.errstate(divide="ignore", invalid="ignore"):
        speed = np.hypot(*np.diff(points, axis=0).T) / np.diff(times)
    put_back = np.array([row.episode_status in INCIDENTS for row in rows[:-1]])
    speed[~np.isfinite(speed) | put_back | (speed > 10)] = np.nan
    return np.concatenate([speed[:1], speed])
