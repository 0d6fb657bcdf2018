"""Where on the track things happened: every step and end is in the picture, for all kinds of actions and trainings."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image

from kuberacer.report import track_plots
from kuberacer.report.place_map import mean_by_place
from kuberacer.report.sectors import SECTORS, Sectors
from kuberacer.report.training_steps import Steps
from kuberacer.sim.track import Track
from tests.unit.report.traced import episode, steps

ACTIONS = [(-30.0, 1.0), (0.0, 2.0), (30.0, 1.0)]


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are made."""
    made: list[Figure] = []
    save = track_plots.png
    monkeypatch.setattr(track_plots, "png", lambda figure: made.append(figure) or save(figure))
    return made


def drawn(picture: bytes) -> None:
    pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("RGBA"))
    assert (pixels[..., 3] > 0).mean() > 0.005, "nothing is drawn"


def driven(count: int = 50, **columns) -> Steps:
    angle = np.linspace(0, 4, count)
    return steps(*(episode(n, 3 * np.cos(angle), 3 * np.sin(angle), n + 1, **columns) for n in range(3)))


@settings(max_examples=40)
@given(st.lists(st.tuples(st.floats(-50, 50), st.floats(-50, 50), st.floats(-9, 9)), min_size=1, max_size=60))
def test_the_cells_of_the_map_hold_every_step_and_all_reward(places) -> None:
    angle = np.linspace(0, 2 * np.pi, 60)
    unit = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    ring = Track.from_route(np.hstack([3 * unit, 2.6 * unit, 3.4 * unit]), "ring")
    x, y, reward = np.array(places).T
    _, _, mean, counts = mean_by_place(ring, x, y, reward)
    assert counts.sum() == len(places)
    assert np.nansum(mean * counts) == pytest.approx(reward.sum(), abs=1e-6)


@pytest.mark.parametrize("some", [driven(), driven(1), steps()])
def test_maps_are_drawn_for_many_one_and_no_steps(ring: Track, some: Steps) -> None:
    drawn(track_plots.reward_by_place(ring, some))
    drawn(track_plots.ends_by_place(ring, some))


def test_every_kind_of_end_is_counted_and_a_lap_is_none(ring: Track, figures: list[Figure]) -> None:
    kinds = ["off_track", "off_track", "crashed", "reversed", "immobilized", "lap_complete", "time_up"]
    ended = steps(*(episode(n, np.ones(1), np.ones(1), n, episode_status=kind) for n, kind in enumerate(kinds)))
    track_plots.ends_by_place(ring, ended)
    (legend,) = figures[0].legends
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels == ["off track (2)", "crashed (1)", "reversed (1)", "immobilized (1)"]


def test_the_picture_of_ends_is_bounded(ring: Track, figures: list[Figure]) -> None:
    count = 2 * track_plots.MOST_ENDS
    many = episode(0, np.ones(count), np.ones(count), done=True, episode_status="off_track", steps=1)
    track_plots.ends_by_place(ring, steps(many))
    assert sum(len(points.get_offsets()) for points in figures[0].axes[0].collections) == track_plots.MOST_ENDS
    assert figures[0].legends[0].get_texts()[0].get_text() == f"off track ({count})", "all of them are counted"


def test_the_shares_of_the_actions_are_those_of_the_steps(figures: list[Figure]) -> None:
    chosen = np.array([[0, np.nan]] * 10 + [[2, np.nan]] * 30)
    drawn(track_plots.actions([("training", driven(40, action=chosen)), ("evaluation", steps())], ACTIONS))
    widths = [bar.get_width() for bar in figures[0].axes[0].patches]
    assert widths == pytest.approx([0.25, 0.0, 0.75, 0.0, 0.0, 0.0])


@pytest.mark.parametrize("space", [None, [(0.0, 1.0)] * 100])
def test_continuous_and_very_many_actions_are_drawn_in_bins(space, figures: list[Figure]) -> None:
    some = driven(50, steer=np.linspace(-30, 30, 50), throttle=np.linspace(1, 4, 50))
    drawn(track_plots.actions([("training", some), ("evaluation", steps())], space))
    shares = figures[0].axes[0].collections[0].get_array()
    assert np.nansum(shares) == pytest.approx(1.0)


def test_sectors_are_drawn_with_the_speeds_that_there_are(ring: Track) -> None:
    drawn(track_plots.sector_map(ring, Sectors(ring), []))
    drawn(track_plots.sector_map(ring, Sectors(ring), [("best trial", np.full(SECTORS, np.nan))]))
