"""Pictures of a training over its iterations: what the episodes came to, what the learner says, where time went."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from kuberacer.formats.status import LABELS
from kuberacer.formats.training_metrics import TrainingMetrics
from kuberacer.report.history import HistoryRow
from kuberacer.report.plots import count_iterations
from kuberacer.report.style import BLUE, GREEN, GREY, ORANGE, RED, figure, png

BAND = (10, 90)  # percentiles: eight of ten episodes lie between
MOST_BARS = 100  # of a picture; more iterations are put together
PARTS = {  # columns of the history, and what they are called
    "play_seconds": ("playing", BLUE), "learn_seconds": ("learning", ORANGE), "freeze_seconds": ("freezing", GREEN),
    "lap_wall_seconds": ("evaluating", RED), "save_seconds": ("saving", "#CC79A7"),
    "wait_seconds": ("waiting for the store", "#56B4E9"),
}  # fmt: skip
OTHER = "other"
WITH_DISTRIBUTION = ("clipped_ppo", "sac")  # the other algorithms' policies have neither entropy nor divergence


@dataclass(frozen=True)
class Spread:
    """Of one quantity over an iteration's episodes, (iterations,) each; NaN where there was none."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, groups: list[np.ndarray]) -> "Spread":
        rows = [(g.mean(), *np.percentile(g, BAND)) if len(g) else (np.nan,) * 3 for g in groups]
        return cls(*np.array(rows, float).reshape(-1, 3).T)

    def draw(self, axes: Axes, x: np.ndarray, color: str, label: str = "") -> None:
        if len(x) == 1:  # a point has no width for a band
            reach = (self.mean - self.low, self.high - self.mean)
            axes.errorbar(x, self.mean, reach, fmt="o", color=color, label=label, markersize=4)
        else:
            axes.plot(x, self.mean, color=color, label=label)
            axes.fill_between(x, self.low, self.high, color=color, alpha=0.2, linewidth=0)


@dataclass(frozen=True)
class Episodes:
    """Of each iteration, its episodes' returns, completed parts (percent), and seconds of those that are laps."""

    returns: list[np.ndarray]
    progress: list[np.ndarray]
    lap_seconds: list[np.ndarray]


def by_iteration(rows: list[HistoryRow], metrics: TrainingMetrics) -> Episodes:
    """The training's episodes, as the metrics list them, under the iterations in which they ended."""
    played = [m for m in metrics.metrics if m.phase == "training"]
    groups = [played[row.episodes - row.episodes_here : row.episodes] for row in rows]
    return Episodes(
        [np.array([m.reward_score for m in group]) for group in groups],
        [np.array([m.completion_percentage for m in group], float) for group in groups],
        [
            np.array(
                [m.elapsed_time_in_milliseconds / 1000 for m in group if m.episode_status == LABELS["lap_complete"]]
            )
            for group in groups
        ],
    )


def curves(rows: list[HistoryRow], episodes: Episodes) -> bytes:
    """Return, completed part, completion rate and lap time by iteration, with bands over an iteration's episodes."""
    made, (first, second, third, last) = figure(7.2, 8.4, nrows=4, sharex=True)
    x = np.array([row.iteration for row in rows])
    mark = "o-" if len(rows) == 1 else "-"
    Spread.of(episodes.returns).draw(first, x, BLUE)
    first.set_title("Return of the training episodes")
    Spread.of(episodes.progress).draw(second, x, BLUE, "training episodes")
    second.plot(
        x, [row.lap_progress for row in rows], mark, color=ORANGE, label="lap without exploration", markersize=4
    )
    second.set_title("Completed part of the lap, %")
    rate = [100 * row.laps / row.episodes_here if row.episodes_here else np.nan for row in rows]
    third.plot(x, rate, mark, color=BLUE, markersize=4)
    third.set_title("Training episodes that completed the lap, %")
    for axes in (second, third):
        axes.set_ylim(-2, 104)
    _lap_times(last, x, rows, episodes)
    count_iterations(last)
    made.legend(*second.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return png(made)


def _lap_times(axes: Axes, x: np.ndarray, rows: list[HistoryRow], episodes: Episodes) -> None:
    axes.set_title("Lap time, s")
    laps = [(row.iteration, row.lap_seconds) for row in rows if row.lap_completed]
    trained = Spread.of(episodes.lap_seconds)
    trained_any = bool(np.isfinite(trained.mean).any())
    if trained_any:
        axes.errorbar(
            x, trained.mean, (trained.mean - trained.low, trained.high - trained.mean), fmt="o", color=BLUE,
            markersize=3, elinewidth=1, alpha=0.7,
        )  # fmt: skip
    if laps:
        axes.plot(*zip(*laps, strict=True), "o-", color=ORANGE, markersize=4)
    elif not trained_any:
        axes.text(0.5, 0.5, "no completed lap", transform=axes.transAxes, ha="center", color=GREY)
        axes.set_yticks([])


LEARNER = {
    "loss": "Loss", "entropy": "Entropy of the policy, nats", "kl": "KL divergence of an iteration's update, nats",
    "epsilon": "Share of random actions",
}  # fmt: skip


def learner(rows: list[HistoryRow], algorithm: str) -> bytes:
    """Loss, entropy and divergence by iteration; what an algorithm does not define is said to be so."""
    names = [name for name in LEARNER if name != "epsilon" or any(name in row.learning for row in rows)]
    made, panels = figure(7.2, 1.8 * len(names), nrows=len(names), sharex=True)
    x = [row.iteration for row in rows]
    for axes, name in zip(panels, names, strict=True):
        values = np.array([row.learning.get(name, np.nan) for row in rows], float)
        axes.set_title(LEARNER[name])
        if np.isfinite(values).any():
            axes.plot(x, values, "o-" if len(x) == 1 else "-", color=BLUE, markersize=4)
        else:
            said = "not recorded" if algorithm in WITH_DISTRIBUTION else f"not defined for {algorithm.upper()}"
            axes.text(0.5, 0.5, said, transform=axes.transAxes, ha="center", color=GREY)
            axes.set_yticks([])
    count_iterations(panels[-1])
    return png(made)


def time_parts(rows: list[HistoryRow]) -> dict[str, np.ndarray]:
    """Seconds of each part of each iteration, (iterations,); they and OTHER's sum is the training's time."""
    played = "waiting for rollouts" if any("workers" in row.learning for row in rows) else PARTS["play_seconds"][0]
    found = {
        played if column == "play_seconds" else name: np.array([getattr(row, column) for row in rows])
        for column, (name, _) in PARTS.items()
    }
    # A row's seconds are those before its checkpoint was kept.
    kept = np.array([row.save_seconds + row.wait_seconds for row in rows])
    whole = np.diff(np.array([row.seconds for row in rows]) + kept, prepend=0.0)
    found[OTHER] = np.maximum(0.0, whole - sum(found.values()))
    return found


def time_spent(rows: list[HistoryRow]) -> bytes:
    """Where each iteration's time went, and the steps played a second of it."""
    made, (parts, speed) = figure(7.2, 4.8, nrows=2, sharex=True, height_ratios=[2, 1])
    x = np.array([row.iteration for row in rows], float)
    starts = np.unique(np.linspace(0, len(rows), min(len(rows), MOST_BARS) + 1).astype(int))[:-1]
    count = np.diff(starts, append=len(rows))
    place = x[starts] + (count - 1) / 2
    left = np.zeros(len(starts))
    colors = [color for _, color in PARTS.values()] + [GREY]
    for (name, seconds), color in zip(time_parts(rows).items(), colors, strict=True):
        height = np.add.reduceat(seconds, starts) / count
        parts.bar(place, height, 0.9 * count, bottom=left, color=color, label=name, linewidth=0)
        left += height
    parts.set_title("Seconds an iteration")
    parts.grid(False, axis="x")
    took = np.diff([row.seconds for row in rows], prepend=0.0)
    steps = np.diff([row.steps for row in rows], prepend=0)
    speed.plot(x, steps / np.maximum(took, 1e-9), "o-" if len(rows) == 1 else "-", color=BLUE, markersize=4)
    speed.set_title("Steps a second")
    speed.set_ylim(bottom=0)
    count_iterations(speed)
    made.legend(*parts.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return png(made)


def time_table(rows: list[HistoryRow]) -> list[list[str]]:
    """Part, seconds, share, seconds an iteration."""
    parts = {name: float(seconds.sum()) for name, seconds in time_parts(rows).items()}
    whole = sum(parts.values())
    lines = [
        [name, f"{value:.1f} s", f"{100 * value / max(whole, 1e-9):.0f} %", f"{value / len(rows):.2f} s"]
        for name, value in parts.items()
    ]
    return [*lines, ["all", f"{whole:.1f} s", "100 %", f"{whole / len(rows):.2f} s"]]
