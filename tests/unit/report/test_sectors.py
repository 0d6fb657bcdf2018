"""Sectors: equal parts of the lap, whose times and ways add up to what was driven."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuberacer.formats.simtrace import write_trace
from kuberacer.formats.trace_columns import read_columns
from kuberacer.report.sectors import SECTORS, Sectors, sector_times, trial_passages
from kuberacer.report.training_steps import Steps
from kuberacer.rollout.evaluation import Evaluation
from kuberacer.rollout.trial import Rules
from kuberacer.sim.track import Track, load_track
from tests.unit.report.traced import episode, steps
from tests.unit.rollout.test_race_evaluation import entrant

ANGLE = np.linspace(0, 2 * np.pi, 120)
RING = np.stack([np.cos(ANGLE), np.sin(ANGLE)], axis=1)
SECTORS_OF_RING = Sectors(Track.from_route(np.hstack([3 * RING, 2.6 * RING, 3.4 * RING]), "ring"))


def around(turns: float, count: int, radius: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    angle = 2 * np.pi * turns * (1 + np.arange(count)) / count
    return radius * np.cos(angle), radius * np.sin(angle)


@st.composite
def drives(draw):
    """(x, y, seconds, begins, lap, resets) of some steps anywhere, with laps, resets and jumps."""
    count = draw(st.integers(1, 40))
    place = st.floats(-4, 4)
    x, y = (np.array(draw(st.lists(place, min_size=count, max_size=count))) for _ in "xy")
    seconds = np.array(draw(st.lists(st.floats(0, 5), min_size=count, max_size=count)))
    flags = st.lists(st.booleans(), min_size=count, max_size=count)
    begins = np.array(draw(flags))
    begins[0] = True
    return x, y, seconds, begins, np.cumsum(begins) - 1, np.array(draw(flags))


@settings(max_examples=40)
@given(drives())
def test_the_sectors_add_up_to_every_lap(drive) -> None:
    x, y, seconds, begins, lap, resets = drive
    found = SECTORS_OF_RING.passage(x, y, seconds, begins, lap, resets)
    np.testing.assert_allclose(found.seconds.sum(axis=1), np.bincount(lap, seconds), atol=1e-9)
    way = np.where(begins | resets, 0.0, np.hypot(np.diff(x, prepend=0.0), np.diff(y, prepend=0.0)))
    np.testing.assert_allclose(found.metres.sum(axis=1), np.bincount(lap, way), atol=1e-9)
    assert (found.seconds >= 0).all()
    together = SECTORS_OF_RING.passage(x, y, seconds, begins, None, resets)
    np.testing.assert_allclose(together.seconds, found.seconds.sum(axis=0), atol=1e-9)


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("count", [37, 400])
def test_an_even_lap_spends_the_same_everywhere(direction: int, count: int) -> None:
    """Coarse steps are shared between the sectors that they cross."""
    x, y = around(direction, count)
    begins = np.zeros(count, bool)
    start = np.append([3.0], x[:-1]), np.append([0.0], y[:-1])
    assert start[0][1] == x[0]
    found = SECTORS_OF_RING.passage(np.append(3.0, x), np.append(0.0, y), np.append(0.0, np.full(count, 0.1)),
                                    np.append(True, begins))  # fmt: skip
    np.testing.assert_allclose(found.seconds, count * 0.1 / SECTORS, rtol=0.02)
    np.testing.assert_allclose(found.along, SECTORS_OF_RING.length, rtol=0.02)


def test_the_pace_of_unfinished_laps_is_that_of_a_whole_sector() -> None:
    x, y = around(0.5, 300)
    half = sector_times(SECTORS_OF_RING, steps(episode(0, x, y), episode(1, x, y)))
    assert half.training is not None
    pace, speed = half.training
    np.testing.assert_allclose(pace[:3], SECTORS_OF_RING.length / (SECTORS_OF_RING.total * 0.5 / 20), rtol=0.02)
    np.testing.assert_allclose(speed[:3], 0.5 * SECTORS_OF_RING.total / 20, rtol=0.03)
    assert np.isnan(pace[3:]).all(), "nothing was driven there"
    assert half.table()[-1][2] == "", "the sum of what is not known is not known"


@pytest.mark.parametrize(
    "rules",
    [
        Rules(trials=2, off_track_penalty=1.0, resets=3),
        replace(Rules(trials=3, off_track_penalty=1.0, resets=3), continuous=True),
    ],
)
def test_the_sectors_of_an_evaluation_add_up_to_its_trials_times(ring: Track, tmp_path, rules: Rules) -> None:
    evaluation = Evaluation([entrant(1.5)], ring, rules)
    (trials,) = evaluation.run()
    write_trace(tmp_path / "0-iteration.csv", [row for trial in trials for row in trial.rows])
    driven = Steps.arranged(read_columns(tmp_path / "0-iteration.csv"), 1)
    found = trial_passages(Sectors(ring), driven, rules.continuous)
    assert found.seconds.shape == (len(trials), SECTORS)
    np.testing.assert_allclose(found.seconds.sum(axis=1), [trial.seconds for trial in trials], atol=0.002)
    times = sector_times(Sectors(ring), trials=driven, best=len(trials) - 1, continuous=rules.continuous)
    assert times.table()[-1][4] == f"{trials[-1].seconds:.2f} s"


def test_the_fastest_lap_adds_up_too_and_what_was_lost_is_the_difference() -> None:
    x, y = around(1, 200)
    lap = np.column_stack([x, y, np.full(200, 2.0), np.arange(1, 201) * 0.04])
    slow = episode(0, x, y, tstamp=np.arange(1, 201) * 0.05)
    times = sector_times(SECTORS_OF_RING, trials=steps(slow), fastest=lap)
    last = times.table()[-1]
    assert last[4:] == ["10.00 s", "8.00 s", "+2.00 s"]
    assert [name for name, _ in times.speeds()] == ["trials, mean", "best trial", "fastest possible"]


def test_a_trial_that_is_no_lap_has_lost_nothing_where_it_never_came() -> None:
    x, y = around(0.4, 100)
    lap = np.column_stack([*around(1, 200), np.full(200, 2.0), np.arange(1, 201) * 0.04])
    times = sector_times(SECTORS_OF_RING, trials=steps(episode(0, x, y)), completed=np.array([False]), fastest=lap)
    rows = times.table()
    assert [row[4] != "" for row in rows] == [True, True, True, False, False, False, True]
    assert {row[-1] for row in rows} == {""}
    assert not any("nan" in cell for row in rows for cell in row)


def test_sectors_are_named_by_how_they_bend() -> None:
    assert SECTORS_OF_RING.names == [f"{number} left" for number in range(1, 7)]
    shapes = {name.partition(" ")[2] for track in ("kidney", "hairpin") for name in Sectors(load_track(track)).names}
    assert {"straight", "left", "right"} & shapes > {"left"}


def test_a_road_with_two_ends_has_sectors_that_do_not_meet() -> None:
    x = np.linspace(0, 12, 50)
    route = np.column_stack([x, 0 * x, x, 0 * x + 0.5, x, 0 * x - 0.5])
    road = Sectors(Track.from_route(route, "road"))
    assert set(road.names) == {f"{number} straight" for number in range(1, 7)}
    found = road.passage(
        np.array([0.5, 11.5, 11.6]), np.zeros(3), np.array([0.1, 1.0, 0.1]), np.array([True, False, False])
    )
    np.testing.assert_allclose(found.seconds, [0.1, 0, 0, 0, 0, 1.1])
