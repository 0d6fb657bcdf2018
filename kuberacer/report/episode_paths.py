"""Episodes for the report's reader to choose from: their paths as compact data, a picture, and the section's HTML."""

import base64
import html
import json
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex

from kuberacer.formats.status import LABELS
from kuberacer.report.html import data_address
from kuberacer.report.plots import draw_track
from kuberacer.report.style import figure, png
from kuberacer.report.training_steps import Steps
from kuberacer.sim.track import Track

MOST_POINTS = 60_000  # of all paths together: some 480 kB of the page
SCRIPT = Path(__file__).with_name("episode_paths.js")
COLORS, LIGHTEST = 12, 0.85  # the scale's yellow is hard to see on white
IN_PICTURE = 6
EVALUATION = 0  # what stands for the iteration of an evaluation's trials


def select(steps: Steps, most_points: int = MOST_POINTS) -> np.ndarray:
    """The episodes (m,) to show, numbers of steps.episode: all where they have few enough steps, else of each iteration
    the one that came furthest, then the one that came least far, and so on inwards, as many as fit. An episode belongs
    to the iteration of its last step."""
    if not len(steps):
        return np.empty(0, int)
    last = np.flatnonzero(np.diff(steps.episode, append=steps.episode[-1] + 1))
    number, size = steps.episode[last], np.diff(last, prepend=-1)
    iteration, progress = steps.table["iteration"][last], steps.table["progress"][last]
    worth = np.empty(len(last), int)
    for one in np.unique(iteration):
        mine = np.flatnonzero(iteration == one)
        order = mine[np.argsort(-progress[mine], kind="stable")]
        inwards = np.column_stack([order, order[::-1]]).ravel()  # best, worst, second, second last, …
        _, first = np.unique(inwards, return_index=True)
        worth[inwards[np.sort(first)]] = np.arange(len(mine))
    order = np.lexsort((_spread(iteration), worth))
    fits = np.cumsum(size[order]) <= most_points
    return np.sort(number[order[fits]])


def _spread(iteration: np.ndarray) -> np.ndarray:
    """(n,) keys: taken in their order, the iterations' places are evenly spread from early on (van der Corput)."""
    _, place = np.unique(iteration, return_inverse=True)
    bits = max(1, int(place.max(initial=0)).bit_length())
    reverse = np.zeros(len(place), int)
    for bit in range(bits):
        reverse |= ((place >> bit) & 1) << (bits - 1 - bit)
    return reverse


def pack(track: Track, steps: Steps, chosen: np.ndarray) -> dict[str, Any]:
    """What the script reads: the road in metres, and of all steps of the chosen episodes, one after another, place
    (uint16 pairs, `unit` metres each, from `corner`), measured speed and reward (uint8 over their ranges)."""
    some = steps.where(np.isin(steps.episode, chosen))
    x, y = some.table["x"], some.table["y"]
    road = np.concatenate([track.inner, track.outer, np.column_stack([x, y])])
    corner, size = np.floor(road.min(axis=0) * 1000) / 1000, float(np.ptp(road, axis=0).max())
    unit = max(0.01, size / 65535)
    places = np.rint((np.column_stack([x, y]) - corner) / unit).astype("<u2")
    begins = np.flatnonzero(np.diff(some.episode, prepend=-1))
    ends = np.append(begins[1:], len(some))[: len(begins)] - 1
    episodes = [
        {
            "iteration": int(some.table["iteration"][end]),
            "number": int(some.table["episode"][end]),
            "steps": int(end - begin + 1),
            "return": round(float(some.table["reward"][begin : end + 1].sum()), 2),
            "progress": round(float(some.table["progress"][end]), 1),
            "seconds": round(float(some.seconds[begin : end + 1].sum()), 2),
            "status": LABELS.get(
                str(some.table["episode_status"][end]), str(some.table["episode_status"][end])
            ).lower(),
        }
        for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)
    ]
    return {
        "inner": _line(track.inner, track.closed),
        "outer": _line(track.outer, track.closed),
        "corner": corner.tolist(),
        "unit": unit,
        "places": _bytes(places),
        "resets": np.flatnonzero(some.resets).tolist(),  # steps before which the car was put back on the road
        "speed": _scaled(some.speed),
        "reward": _scaled(some.table["reward"]),
        "colors": [to_hex(colormaps["viridis"](LIGHTEST * k / (COLORS - 1))) for k in range(COLORS)],
        "episodes": episodes,
    }


def section(track: Track, training: Steps, evaluation: Steps | None) -> str:
    """The report's section: a picture, which a script replaces by a drawing of the episode that the reader chooses."""
    own = 0 if evaluation is None else len(np.unique(evaluation.episode))
    both = training if evaluation is None else together(evaluation, training)
    chosen = select(both)
    total, shown = len(np.unique(training.episode)), np.count_nonzero(chosen >= own)
    which = (
        f"all {total}" if shown == total else f"{shown} of {total}, of each iteration those that came furthest first"
    )
    of = (
        f", of {len(training.iterations)} of {training.of} iterations" if len(training.iterations) < training.of else ""
    )
    trials = f"; trials of the evaluation: {len(chosen) - shown} of {own}" if own else ""
    caption = f"Training episodes: {which}{of}{trials}."
    data = json.dumps(pack(track, both, chosen), separators=(",", ":")).replace("<", "\\u003c")
    image = data_address("image/png", picture(track, both.where(np.isin(both.episode, chosen))))
    return (
        "<section class='wide' id='episodes'><h2>Episodes</h2><figure>"
        "<div class='viewer' hidden><div class='controls'></div><div class='drawing'></div></div>"
        f"<img class='still' alt='Paths of a few episodes' src='{image}'>"
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
        f"<script type='application/json'>{data}</script>"
        f"<script>{SCRIPT.read_text(encoding='utf-8')}</script></section>"
    )


def together(evaluation: Steps, training: Steps) -> Steps:
    """The evaluation's trials, which stand before all iterations, and the training's episodes."""
    own = evaluation.table.copy()
    own["iteration"] = EVALUATION
    count = int(evaluation.episode.max(initial=-1)) + 1
    table = np.concatenate([own, training.table])
    return Steps(table, np.concatenate([evaluation.episode, training.episode + count]), training.of)


def picture(track: Track, steps: Steps) -> bytes:
    """The episodes that came furthest, of iterations from the first to the last."""
    made, axes = figure(7.2, 5.4)
    draw_track(axes, track)
    last = np.flatnonzero(np.diff(steps.episode, append=-1)) if len(steps) else np.empty(0, int)
    last = last[steps.table["iteration"][last] != EVALUATION]
    iterations = np.unique(steps.table["iteration"][last])
    for place in np.unique(np.linspace(0, len(iterations) - 1, min(IN_PICTURE, len(iterations))).astype(int)):
        mine = last[steps.table["iteration"][last] == iterations[place]]
        best = steps.episode[mine[np.argmax(steps.table["progress"][mine])]]
        rows = steps.table[steps.episode == best]
        color = colormaps["viridis"](place / max(1, len(iterations) - 1))
        axes.plot(rows["x"], rows["y"], color=color, linewidth=1.8, label=f"iteration {iterations[place]}")
    if len(iterations):
        made.legend(loc="outside lower center", ncols=3)
    return png(made)


def _line(border: np.ndarray, closed: bool) -> list[float]:
    line = np.vstack([border, border[:1]]) if closed else border
    return line.round(3).ravel().tolist()


def _scaled(values: np.ndarray) -> dict[str, Any]:
    """uint8 over the range, of which the outermost hundredth on each side is cut off."""
    low, high = np.percentile(values, [1, 99]) if len(values) else (0.0, 1.0)
    high = max(high, low + 1e-6)
    steps = np.rint(np.clip((values - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    return {"low": round(float(low), 4), "high": round(float(high), 4), "bytes": _bytes(steps)}


def _bytes(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")
