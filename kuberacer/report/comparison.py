"""What a sweep's trials say of its settings: means over the seeds with 95 % confidence intervals, curves, a table."""

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


def curves(trials: list[Trial]) -> bytes:
    """PNG: the lap without exploration and the training episodes' completion over the steps; bands are 95 % intervals
    of the mean over the seeds."""
    made, (lap, completion) = figure(7.2, 5.6, nrows=2, sharex=True)
    last = min(trial.rows[-1].steps for trial in trials)
    grid = np.linspace(0, last, GRID)
    for number, setting in enumerate(dict.fromkeys(trial.setting for trial in trials)):
        colour = COLOURS[number % len(COLOURS)]
        mine = [trial for trial in trials if trial.setting == setting]
        for axes, value in ((lap, lap_progress), (completion, episode_completion)):
            lines = np.array([on_grid(trial.rows, value, grid) for trial in mine])
            mean, half = band(lines)
            axes.plot(grid, mean, color=colour, label=f"{setting} ({len(mine)})")
            axes.fill_between(grid, mean - half, mean + half, color=colour, alpha=0.2, linewidth=0)
    lap.set_title("Lap without exploration, %")
    completion.set_title("Training episodes: completed part of the lap, %")
    completion.set_xlabel("environment steps")
    for axes in (lap, completion):
        axes.set_ylim(0, 104)
    lap.legend(loc="lower right")
    return png(made)


def lap_progress(row: HistoryRow) -> float:
    return row.lap_progress


def episode_completion(row: HistoryRow) -> float:
    return 0.0 if row.completion is None else row.completion


def on_grid(rows: list[HistoryRow], value, grid: np.ndarray) -> np.ndarray:
    """A row's value over steps, linear between rows, 0 before training."""
    return np.interp(grid, [0, *(row.steps for row in rows)], [0.0, *(value(row) for row in rows)])


def band(lines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean over (trials, points) and half of its 95 % interval; 0 for a single trial."""
    mean = lines.mean(axis=0)
    if len(lines) == 1:
        return mean, np.zeros_like(mean)
    error = lines.std(axis=0, ddof=1) / np.sqrt(len(lines))
    return mean, stats.t.ppf(0.975, len(lines) - 1) * error
