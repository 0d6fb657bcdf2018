"""The reward over the cross-track error, with the borders beyond which an episode ends."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from kuberacer.report.style import BLUE, GREEN, ORANGE, figure, png

POINTS = 201


def cte_reward_plot(path: Path, reward: Callable[[float], float], max_cte: float) -> None:
    """reward: of a car that goes on, by its cross-track error (simulator's units, right of the centre positive)."""
    places = np.linspace(-max_cte, max_cte, POINTS)
    values = np.array([float(reward(float(place))) for place in places])
    low, high = min(values.min(), 0.0), max(values.max(), 0.0)
    low -= 0.15 * (high - low)
    made, axes = figure(6.0, 3.6)
    axes.plot(places, values, color=BLUE)
    axes.plot((0, 0), (low, high), "--", color=ORANGE)
    axes.text(0.01 * max_cte, low, " centre of the road", color=ORANGE, va="bottom")
    for side, align in ((-1, "left"), (1, "right")):
        axes.plot((side * max_cte,) * 2, (low, high), "-", color=GREEN)
        axes.text(side * 0.98 * max_cte, low, "the episode ends", color=GREEN, va="bottom", ha=align)
    axes.set_xlabel("cross-track error")
    axes.set_ylabel("reward of a step")
    axes.set_title("Reward distribution based on cte")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(made))
