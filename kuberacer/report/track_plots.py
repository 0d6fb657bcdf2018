"""Pictures of where on the track things happened in a training: rewards, ends of episodes, sectors, actions."""

import numpy as np
from matplotlib.ticker import MaxNLocator, PercentFormatter

from kuberacer.formats.status import LABELS
from kuberacer.report.place_map import draw_by_place
from kuberacer.report.plots import draw_track
from kuberacer.report.sectors import SECTORS, Sectors
from kuberacer.report.style import BLUE, GREEN, GREY, ORANGE, RED, figure, png
from kuberacer.report.training_steps import Steps
from kuberacer.sim.track import Track

MARKS = {"off_track": "o", "crashed": "X", "reversed": "s", "immobilized": "D"}  # ends that are no lap
MOST_ENDS = 3000  # points of a picture
MOST_ACTIONS = 40  # bars of a picture
SPEED_BINS, STEERING_BINS = 12, 13
Group = tuple[str, Steps]  # whose steps


def reward_by_place(track: Track, steps: Steps) -> bytes:
    """The mean reward of the steps in each cell of a grid over the track."""
    made, axes = figure(7.2, 5.4)
    table = steps.table
    if len(table):
        mesh = draw_by_place(axes, track, table["x"], table["y"], table["reward"])
        made.colorbar(mesh, ax=axes, label="reward a step, mean", shrink=0.7)
    else:
        draw_track(axes, track)
    return png(made)


def ends_by_place(track: Track, steps: Steps) -> bytes:
    """Where episodes ended without a lap, coloured by iteration."""
    made, axes = figure(7.2, 5.4)
    draw_track(axes, track)
    ends = steps.ends()
    ends = ends[np.isin(ends["episode_status"], list(MARKS))]
    chosen = ends[np.unique(np.linspace(0, len(ends) - 1, min(len(ends), MOST_ENDS)).astype(int))]
    drawn = None
    for status, mark in MARKS.items():
        some = chosen[chosen["episode_status"] == status]
        if len(some):
            drawn = axes.scatter(
                some["x"], some["y"], c=some["iteration"], marker=mark, s=22, linewidths=0, alpha=0.8, cmap="viridis",
                vmin=steps.iterations[0], vmax=max(steps.iterations[-1], steps.iterations[0] + 1),
                label=f"{LABELS[status].lower()} ({np.count_nonzero(ends['episode_status'] == status)})",
            )  # fmt: skip
    if drawn is None:
        axes.set_title("No episode ended beside the road")
    else:
        made.colorbar(drawn, ax=axes, label="iteration", shrink=0.7, ticks=MaxNLocator(integer=True))
        for handle in made.legend(loc="outside lower center", ncols=len(MARKS)).legend_handles:
            handle.set(array=None, color=GREY)
    return png(made)


def sector_map(track: Track, sectors: Sectors, speeds: list[tuple[str, np.ndarray]]) -> bytes:
    """The sectors on the track, and the mean speed in each, (SECTORS,) m/s a name."""
    made, (above, beside) = figure(7.2, 6.2, nrows=2, height_ratios=[3.2, 1.6])
    draw_track(above, track)
    numbers = sectors.of(sectors.place(*sectors.points.T))
    for number in range(SECTORS):
        line = sectors.points[numbers == number]
        above.plot(*line.T, color=(BLUE, ORANGE)[number % 2], linewidth=5, solid_capstyle="butt")
        above.annotate(
            str(number + 1), line[len(line) // 2], ha="center", va="center", fontsize=9, color="black",
            bbox={"boxstyle": "circle,pad=0.25", "facecolor": "white", "edgecolor": GREY},
        )  # fmt: skip
    width = 0.8 / max(1, len(speeds))
    for number, (name, speed) in enumerate(speeds):
        at = np.arange(SECTORS) + (number - (len(speeds) - 1) / 2) * width
        beside.bar(at, np.nan_to_num(speed), width * 0.9, color=(BLUE, GREEN, ORANGE, RED)[number % 4], label=name)
    beside.set_xticks(range(SECTORS), [name.replace(" and ", " & ") for name in sectors.names], fontsize=8)
    beside.set_title("Mean speed, m/s")
    beside.grid(False, axis="x")
    if speeds:
        made.legend(loc="outside lower center", ncols=len(speeds))
    return png(made)


def actions(groups: list[Group], action_space: list[tuple[float, float]] | None) -> bytes:
    """How often each action was chosen. action_space: (degrees, m/s) of the discrete actions; None: continuous ones, in
    bins of steering and speed."""
    if action_space is None or len(action_space) > MOST_ACTIONS:
        return _binned(groups)
    made, axes = figure(7.2, 1.4 + 0.18 * len(groups) * len(action_space))
    height = 0.8 / len(groups)
    for number, (name, steps) in enumerate(groups):
        counts = np.bincount(steps.table["action"][:, 0].astype(int), minlength=len(action_space))[: len(action_space)]
        at = np.arange(len(action_space)) + (number - (len(groups) - 1) / 2) * height
        axes.barh(at, counts / max(1, len(steps)), height * 0.9, color=(GREY, BLUE, ORANGE)[number % 3], label=name)
    names = [f"{number}: {steering:+.0f}°, {speed:.2f} m/s" for number, (steering, speed) in enumerate(action_space)]
    axes.set_yticks(range(len(action_space)), names)
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xlabel("share of the steps")
    axes.grid(False, axis="y")
    made.legend(loc="outside upper left", ncols=len(groups))
    return png(made)


def _binned(groups: list[Group]) -> bytes:
    made, rows = figure(7.2, 2.0 * len(groups), nrows=len(groups), sharex=True, squeeze=False)
    tables = [steps.table for _, steps in groups]
    all_of = {key: np.concatenate([table[key] for table in tables]) for key in ("steer", "throttle")}
    ranges = [(min(v, default=0.0) - 1e-6, max(v, default=1.0) + 1e-6) for v in all_of.values()]
    for axes, (name, _), table in zip(rows[:, 0], groups, tables, strict=True):
        counts, steering, speed = np.histogram2d(
            table["steer"], table["throttle"], (STEERING_BINS, SPEED_BINS), range=ranges
        )
        share = counts.T / max(1, len(table))
        mesh = axes.pcolormesh(steering, speed, np.where(share > 0, share, np.nan), cmap="viridis")
        made.colorbar(mesh, ax=axes, format=PercentFormatter(1, decimals=0))
        axes.set_title(name)
        axes.set_ylabel("speed, m/s")
    rows[-1, 0].set_xlabel("steering, degrees")
    rows[-1, 0].invert_xaxis()  # left is left
    return png(made)
