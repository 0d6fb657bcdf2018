"""What a sweep's trials say of its settings: means over the seeds with 95 % confidence intervals, curves, a table."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from kuberacer.report.history import HistoryRow
from kuberacer.report.style import BLUE, GREEN, GREY, ORANGE, RED, figure, png

COLOURS = (BLUE, ORANGE, GREEN, RED, "#CC79A7", "#56B4E9", GREY)
GRID = 100  # points of a curve


@dataclass(frozen=True)
class Trial:
    """One training of a sweep: a setting with a seed."""

    name: str
    setting: str
    seed: int
    rows: list[HistoryRow]  # at least one
    first_lap_s: float | None

    @property
    def best_lap_s(self) -> float | None:
        return min((row.lap_seconds for row in self.rows if row.lap_completed), default=None)


@dataclass(frozen=True)
class Interval:
    """A mean and half the width of its 95 % confidence interval (None for a single value, which has no spread)."""

    mean: float
    half: float | None
    count: int

    def text(self, digits: int) -> str:
        return f"{self.mean:.{digits}f}" + ("" if self.half is None else f" ± {self.half:.{digits}f}")


def interval(values: list[float]) -> Interval | None:
    """Student's t interval of the mean; None without values."""
    if not values:
        return None
    mean = float(np.mean(values))
    if len(values) == 1:
        return Interval(mean, None, 1)
    error = float(np.std(values, ddof=1)) / np.sqrt(len(values))
    return Interval(mean, float(stats.t.ppf(0.975, len(values) - 1) * error), len(values))


@dataclass(frozen=True)
class Summary:
    """Of one setting. Times are over the trials that completed a lap."""

    setting: str
    trials: int
    with_lap: int
    first_lap_s: Interval | None
    best_lap_s: Interval | None
    last_progress: Interval  # percent of the lap that the last policy drives
    steps: Interval


def summarise(trials: list[Trial]) -> list[Summary]:
    """One Summary a setting: more trials with a lap first, then the shorter best lap."""
    summaries = []
    for setting in dict.fromkeys(trial.setting for trial in trials):
        mine = [trial for trial in trials if trial.setting == setting]
        progress = interval([trial.rows[-1].lap_progress for trial in mine])
        steps = interval([float(trial.rows[-1].steps) for trial in mine])
        assert progress is not None
        assert steps is not None
        summaries.append(
            Summary(
                setting=setting,
                trials=len(mine),
                with_lap=sum(trial.best_lap_s is not None for trial in mine),
                first_lap_s=interval([t.first_lap_s for t in mine if t.first_lap_s is not None]),
                best_lap_s=interval([t.best_lap_s for t in mine if t.best_lap_s is not None]),
                last_progress=progress,
                steps=steps,
            )
        )
    return sorted(summaries, key=_rank)


def _rank(summary: Summary) -> tuple[float, float, float]:
    best = np.inf if summary.best_lap_s is None else summary.best_lap_s.mean
    return -summary.with_lap / summary.trials, best, -summary.last_progress.mean


HEADER = ["setting", "trials", "with a lap", "first lap, s", "best lap, s", "last lap, %", "steps"]


def table(summaries: list[Summary]) -> list[list[str]]:
    """Rows under HEADER."""
    return [
        [
            s.setting,
            str(s.trials),
            str(s.with_lap),
            s.first_lap_s.text(1) if s.first_lap_s else "none",
            s.best_lap_s.text(2) if s.best_lap_s else "none",
            s.last_progress.text(0),
            s.steps.text(0),
        ]
        for s in summaries
    ]


def markdown(title: str, summaries: list[Summary]) -> str:
    lines = [f"# {title}", "", "| " + " | ".join(HEADER) + " |", "|" + " --- |" * len(HEADER)]
    lines += ["| " + " | ".join(row) + " |" for row in table(summaries)]
    lines += ["", "Means over the seeds ± half of the 95 % confidence interval (Student's t)."]
    return "\n".join(lines) + "\n"


def _return(row: HistoryRow) -> float:
    return np.nan if row.mean_return is None else row.mean_return


def _completion(row: HistoryRow) -> float:
    return np.nan if row.completion is None else row.completion


def _completion_rate(row: HistoryRow) -> float:
    return 100 * row.laps / row.episodes_here if row.episodes_here else np.nan


def _entropy(row: HistoryRow) -> float:
    return row.learning.get("entropy", np.nan)


LAP, BEST_SO_FAR = "Lap without exploration, %", "Best lap without exploration so far, s"
CURVES: dict[str, Callable[[HistoryRow], float]] = {
    "Return of the training episodes": _return,
    "Training episodes: completed part of the lap, %": _completion,
    "Training episodes that completed the lap, %": _completion_rate,
    LAP: lambda row: row.lap_progress,
    BEST_SO_FAR: lambda row: row.lap_seconds if row.lap_completed else np.nan,
    "Entropy of the policy, nats": _entropy,
}


def curves(trials: list[Trial]) -> bytes:
    """PNG: CURVES over the environment steps. Lines are means over the trials that have a value there, bands the 95 %
    intervals of those means, where there are two or more."""
    last = min(trial.rows[-1].steps for trial in trials)
    grid = np.linspace(0, last, GRID)
    found = {title: _of_settings(trials, title, grid) for title in CURVES}
    drawn = {title: lines for title, lines in found.items() if any(np.isfinite(of).any() for of in lines.values())}
    made, panels = figure(7.2, 0.6 + 2.1 * len(drawn), nrows=len(drawn), sharex=True, squeeze=False)
    for axes, (title, lines) in zip(panels[:, 0], drawn.items(), strict=True):
        for number, (setting, of) in enumerate(lines.items()):
            color = COLOURS[number % len(COLOURS)]
            mean, half = band(of)
            axes.plot(grid, mean, color=color, label=f"{setting} (n = {len(of)})")
            axes.fill_between(grid, mean - half, mean + half, color=color, alpha=0.2, linewidth=0)
        axes.set_title(title)
        if "%" in title:
            axes.set_ylim(-2, 104)
    panels[-1, 0].set_xlabel("environment steps")
    made.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return png(made)


def _of_settings(trials: list[Trial], title: str, grid: np.ndarray) -> dict[str, np.ndarray]:
    """(trials, points) of each setting."""
    return {
        setting: np.array([on_grid(t.rows, title, grid) for t in trials if t.setting == setting])
        for setting in dict.fromkeys(trial.setting for trial in trials)
    }


def on_grid(rows: list[HistoryRow], title: str, grid: np.ndarray) -> np.ndarray:
    """One of CURVES over steps: linear between the rows that have a value, NaN before the first and after the last one;
    the best lap so far is a staircase."""
    values = np.array([CURVES[title](row) for row in rows], float)
    steps = np.array([row.steps for row in rows], float)
    if title == BEST_SO_FAR:
        best = np.fmin.accumulate(np.append(np.nan, values))
        return best[np.searchsorted(steps, grid, side="right")]
    known = np.isfinite(values)
    if not known.any():
        return np.full(len(grid), np.nan)
    return np.interp(grid, steps[known], values[known], left=np.nan, right=np.nan)


def band(lines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of (trials, points): the mean over the trials that have a value, NaN where none has, and half of its 95 %
    interval (Student's t); 0 where fewer than two have."""
    known = np.isfinite(lines)
    count = known.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, lines, 0.0).sum(axis=0) / np.where(count, count, np.nan)
        squares = np.where(known, lines - mean, 0.0) ** 2
        error = np.sqrt(squares.sum(axis=0) / np.maximum(count - 1, 1) / np.maximum(count, 1))
    half = stats.t.ppf(0.975, np.maximum(count - 1, 1)) * error
    return mean, np.where(count > 1, half, 0.0)
