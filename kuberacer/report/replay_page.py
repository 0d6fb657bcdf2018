"""What came of a replay, as one HTML page."""

import numpy as np

from kuberacer.report.html import Page
from kuberacer.report.place_map import draw_by_place
from kuberacer.report.plots import count_iterations
from kuberacer.report.replay import ITERATION_COLUMNS, Replay, by_iteration, correlations
from kuberacer.report.style import BLUE, GREY, ORANGE, figure, png
from kuberacer.sim.track import Track

SHOWN = 10  # episodes of each kind
MOST_ITERATIONS = 200  # rows of the table; more are in the CSV file
EPISODE_HEADER = ["episode", "iteration", "steps", "lap, %", "ended", "return, old", "new", "rank, old", "new"]


def replay_page(replayed: Replay, track: Track, title: str, subtitle: str, text: str) -> str:
    """text: the reward function's source."""
    page = Page(title, subtitle, tiles(replayed), figures=figures(replayed, track))
    rows = by_iteration(replayed)
    shown = rows if len(rows) <= MOST_ITERATIONS else rows[-MOST_ITERATIONS:]
    name = "By iteration" if shown is rows else f"By iteration, the last {MOST_ITERATIONS} of {len(rows)}"
    page.tables = [
        ("Episodes that the new reward ranks higher", EPISODE_HEADER, moved(replayed, up=True)),
        ("Episodes that it ranks lower", EPISODE_HEADER, moved(replayed, up=False)),
        (name, list(ITERATION_COLUMNS.values()), [[f"{value:.4g}" for value in row] for row in shown]),
    ]
    page.texts = [("The new reward function", text)]
    return page.render()


def tiles(replayed: Replay) -> list[tuple[str, str]]:
    episodes = replayed.episodes
    of_steps, of_returns = (
        correlations(*pair) for pair in ((replayed.old, replayed.new), (episodes.old, episodes.new))
    )
    difference = np.abs(replayed.new - replayed.old)
    return [
        (shown(of_steps[0]), "correlation of the rewards (Pearson)"),
        (shown(of_steps[1]), "rank correlation of the rewards (Spearman)"),
        (shown(of_returns[1]), "rank correlation of the episodes' returns"),
        (f"{difference.mean():.3g}", "mean difference of a step"),
        (f"{difference.max():.3g}", "largest difference of a step"),
        (f"{len(replayed.old):,}", "steps"),
        (f"{len(episodes):,}", "whole episodes"),
    ]


def shown(correlation: float) -> str:
    return "not defined" if np.isnan(correlation) else f"{correlation:.4f}"


def figures(replayed: Replay, track: Track) -> list[tuple[str, str, bytes]]:
    found = [
        ("Reward by place", "Mean over the steps in each cell of 10 cm; empty: nobody was there. Left old, right new, "
         "each with its own scale.", by_place(replayed, track)),
    ]  # fmt: skip
    if len(replayed.episodes):
        found += [
            ("Returns", "One point an episode: what it would have brought. Points far from the others' line change "
             "their rank.", returns(replayed)),
            ("Returns by iteration", "Mean of the episodes that ended in it; the bands hold 80 % of them.",
             over_iterations(replayed)),
        ]  # fmt: skip
    return found


def by_place(replayed: Replay, track: Track) -> bytes:
    made, axes = figure(11.0, 3.8, ncols=2)
    for panel, name, values in zip(axes, ("old", "new"), (replayed.old, replayed.new), strict=True):
        mesh = draw_by_place(panel, track, replayed.table["x"], replayed.table["y"], values)
        made.colorbar(mesh, ax=panel, label="reward a step", shrink=0.7)
        panel.set_title(name)
    return png(made)


def returns(replayed: Replay) -> bytes:
    episodes = replayed.episodes
    made, axes = figure(7.2, 5.0)
    points = axes.scatter(episodes.old, episodes.new, c=episodes.progress, s=12, cmap="viridis", vmin=0, vmax=100)
    made.colorbar(points, ax=axes, label="lap, %")
    axes.set_xlabel("return under the old reward")
    axes.set_ylabel("return under the new reward")
    return png(made)


def over_iterations(replayed: Replay) -> bytes:
    episodes = replayed.episodes
    numbers = np.unique(episodes.iteration)
    made, panels = figure(7.2, 4.4, nrows=2, sharex=True)
    for panel, name, values, colour in zip(
        panels, ("old", "new"), (episodes.old, episodes.new), (BLUE, ORANGE), strict=True
    ):
        ended = [values[episodes.iteration == number] for number in numbers]
        low, high = np.array([np.percentile(part, [10, 90]) for part in ended]).T
        panel.plot(numbers, [part.mean() for part in ended], "o-", markersize=3, color=colour)
        panel.fill_between(numbers, low, high, color=colour, alpha=0.2, linewidth=0)
        panel.axhline(0.0, color=GREY, linewidth=0.8)
        panel.set_title(f"Return of an episode, {name} reward")
    count_iterations(panels[-1])
    return png(made)


def moved(replayed: Replay, up: bool) -> list[list[str]]:
    """Rows under EPISODE_HEADER: the episodes whose rank changes most."""
    episodes = replayed.episodes
    gain = (episodes.rank_old - episodes.rank_new) * (1 if up else -1)
    most = np.argsort(-gain, kind="stable")[:SHOWN]
    return [
        [
            str(episodes.number[i]), str(episodes.iteration[i]), str(episodes.steps[i]), f"{episodes.progress[i]:.1f}",
            str(episodes.status[i]).replace("_", " "), f"{episodes.old[i]:.4g}", f"{episodes.new[i]:.4g}",
            f"{episodes.rank_old[i]:g}", f"{episodes.rank_new[i]:g}",
        ]
        for i in most[gain[most] > 0]
    ]  # fmt: skip
