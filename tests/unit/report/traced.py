"""Made-up steps of a training, as trace_columns reads them."""

import numpy as np

from kuberacer.formats.trace_columns import COLUMNS
from kuberacer.report.training_steps import Steps


def episode(number: int, x: np.ndarray, y: np.ndarray, iteration: int = 1, **columns) -> np.ndarray:
    """An episode's steps (n,) of COLUMNS, a fifteenth of a second each, ended off the track."""
    table = np.zeros(len(x), COLUMNS)
    table["episode"], table["iteration"], table["x"], table["y"] = number, iteration, x, y
    table["steps"] = 1 + np.arange(len(x))
    table["tstamp"] = table["steps"] / 15
    table["episode_status"] = "in_progress"
    table["reward"] = 1.0
    if len(x):
        table["done"][-1], table["episode_status"][-1] = True, "off_track"
    for name, values in columns.items():
        table[name] = values
    return table


def steps(*episodes: np.ndarray, of: int = 1) -> Steps:
    return Steps.arranged(np.concatenate([np.zeros(0, COLUMNS), *episodes]), of)
