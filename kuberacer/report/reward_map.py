"""The reward over the track, as a picture and as a page."""

import io

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from kuberacer.report.html import Page
from kuberacer.report.style import BLUE, GREY, ORANGE, RED, figure
from kuberacer.reward.trial import ACROSS, OBJECT_LANES, Trial
from kuberacer.sim.track import Track

OFF_ROAD_SHADE = 0.35
CAPTION = (
    "The reward of a car that drives along the road at 1 m/s, at every place of the road and beside it (pale). "
    "Right: its median over the lap, from border to border."
)


def draw_reward_map(trial: Trial, track: Track, title: str) -> bytes:
    """A PNG: the reward over the road from above, and its profile across the road."""
    canvas, (above, profile) = figure(11.0, 5.2, ncols=2, width_ratios=[3.2, 1.4])
    canvas.set_facecolor("white")
    scale = _draw_above(above, trial, track)
    canvas.colorbar(scale, ax=above, label="reward a step", shrink=0.75, pad=0.01)
    above.set_title(title)
    _draw_profile(profile, trial)
    buffer = io.BytesIO()
    canvas.savefig(buffer, format="png", dpi=120, facecolor="white")
    return buffer.getvalue()


def reward_page(picture: bytes, trial: Trial, title: str, facts: list[tuple[str, str]]) -> str:
    """The picture with its figures as one HTML page that opens offline."""
    rewards = trial.all
    tiles = [(f"{value:.3g}", name) for name, value in (
        ("lowest", rewards.min()), ("mean on the road", on_road(trial).mean()), ("highest", rewards.max()),
    )]  # fmt: skip
    page = Page("Reward map", title, tiles, figures=[("Reward over the track", CAPTION, picture)])
    page.tables = [("The trial", ["", ""], [list(fact) for fact in facts])]
    return page.render()


def on_road(trial: Trial) -> np.ndarray:
    """The forward laps' rewards between the borders."""
    return trial.forward[:, np.abs(ACROSS) <= 1]


def _draw_above(axes, trial: Trial, track: Track) -> ScalarMappable:
    route = track.route()
    center, inner, outer = route[:, :2], route[:, 2:4], route[:, 4:]
    rows = len(trial.forward)
    gone = np.append(0.0, np.cumsum(np.hypot(*np.diff(center, axis=0).T)))
    # Row r was driven at (r + 1) / rows of the lap: its cell reaches half a row to both sides.
    edges = np.linspace(0.0, gone[-1], rows + 1)
    middle, left, right = (_at(edges, gone, line) for line in (center, *_left_right(center, inner, outer)))
    steps = ACROSS[1] - ACROSS[0]
    across = np.append(ACROSS - 0.5 * steps, ACROSS[-1] + 0.5 * steps)[None, :, None]
    grid = middle[:, None] + np.where(
        across >= 0, across * (left - middle)[:, None], -across * (right - middle)[:, None]
    )
    low, high = np.percentile(on_road(trial), [0.0, 99.0])
    scale = ScalarMappable(Normalize(low, max(high, low + 1e-9)), "viridis")
    colors = scale.to_rgba(trial.forward)[..., :3]
    beside = np.abs(ACROSS) > 1
    colors[:, beside] = 1.0 - OFF_ROAD_SHADE * (1.0 - colors[:, beside])
    axes.pcolormesh(grid[..., 0], grid[..., 1], colors)
    for border in (inner, outer):
        axes.plot(*border.T, color="black", linewidth=1.0)
    axes.plot(*np.stack([inner[0], outer[0]]).T, color=RED, linewidth=3)
    axes.set_aspect("equal")
    axes.set_axis_off()
    return scale


def _draw_profile(axes, trial: Trial) -> None:
    low, middle, high = np.percentile(trial.forward, [5, 50, 95], axis=0)
    axes.plot(ACROSS, middle, color=BLUE, label="forward")
    axes.fill_between(ACROSS, low, high, color=BLUE, alpha=0.2, linewidth=0)
    axes.plot([-0.5, 0.0, 0.5], np.median(trial.reverse, axis=0), "o", color=ORANGE, label="reversed track")
    objects = [lane.across for lane in OBJECT_LANES]
    if trial.others.size:
        axes.plot(objects, trial.others.mean(axis=0), "x", color=RED, label="with other objects (mean)")
    for border in (-1, 1):
        axes.axvline(border, color=GREY, linewidth=1, linestyle="--")
    axes.set_xticks([-1, 0, 1], ["right\nborder", "centre", "left\nborder"])
    axes.invert_xaxis()
    axes.set_title("across the road")
    axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.12))


def _left_right(center: np.ndarray, inner: np.ndarray, outer: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    ahead = np.gradient(center, axis=0)
    aside = inner - center
    inner_is_left = np.sum(ahead[:, 0] * aside[:, 1] - ahead[:, 1] * aside[:, 0]) > 0
    return (inner, outer) if inner_is_left else (outer, inner)


def _at(distance: np.ndarray, gone: np.ndarray, line: np.ndarray) -> np.ndarray:
    return np.stack([np.interp(distance, gone, line[:, k]) for k in (0, 1)], axis=1)
