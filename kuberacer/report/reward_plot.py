"""The reward plot of a training on any environment, from rl_coach's CSV."""

from pathlib import Path

import numpy as np

from kuberacer.report.style import BLUE, ORANGE, figure, png


def reward_plot(path: Path, rows: list[dict[str, str]], environment: str) -> None:
    """Returns of training episodes and of evaluations, over the environment steps so far. rows: of the CSV."""
    made, axes = figure(7.2, 3.4)
    for column, name, colour, marker in (
        ("Training Reward", "training episodes", BLUE, "."),
        ("Evaluation Reward", "evaluation", ORANGE, "o"),
    ):
        told = np.array([(float(row["Total steps"]), float(row[column])) for row in rows if row[column]]).reshape(-1, 2)
        if len(told):
            axes.plot(*told.T, marker, color=colour, linestyle="-" if marker == "o" else "", label=name)
    axes.set_xlabel("environment steps")
    axes.set_ylabel("return")
    axes.set_title(environment)
    if axes.get_legend_handles_labels()[0]:
        axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(made))
