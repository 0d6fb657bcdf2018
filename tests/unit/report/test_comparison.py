"""The figures of a sweep: intervals as Student's t gives them, ranking, curves on one grid, a table."""

import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kuberacer.report import comparison
from kuberacer.report.comparison import Trial, interval
from kuberacer.report.history import HistoryRow

ROW = HistoryRow(1, 4.0, 100, 5, 5, 1.0, 20.0, 0, False, 30.0, 5.0, 500.0, 1.0, 3.0, 0.2)


def trial(setting: str, seed: int, laps: list[float | None]) -> Trial:
    """A trial whose iterations completed laps in these seconds (None: did not)."""
    rows = [
        replace(
            ROW,
            iteration=i + 1,
            steps=100 * (i + 1),
            lap_completed=seconds is not None,
            lap_seconds=seconds or 3.0,
            lap_progress=100.0 if seconds else 30.0,
        )
        for i, seconds in enumerate(laps)
    ]
    first = next((4.0 * (i + 1) for i, seconds in enumerate(laps) if seconds), None)
    return Trial(f"{setting}-{seed}", setting, seed, rows, first)


def test_an_interval_is_students_t() -> None:
    # Mean 2, standard error 1/sqrt(3), t(0.975, 2) = 4.3027 (tables).
    found = interval([1.0, 2.0, 3.0])
    assert found is not None
    assert found.mean == 2.0
    assert found.half == pytest.approx(4.3027 / np.sqrt(3), rel=1e-4)
    assert interval([5.0]) == comparison.Interval(5.0, None, 1)
    assert interval([]) is None


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20))
def test_an_interval_holds_its_mean_and_moves_with_its_values(values: list[float]) -> None:
    found, moved = interval(values), interval([value + 10 for value in values])
    assert found is not None
    assert moved is not None
    assert found.half is not None
    assert moved.half is not None
    assert min(values) - 1e-6 <= found.mean <= max(values) + 1e-6
    assert moved.mean == pytest.approx(found.mean + 10, abs=1e-6)
    assert moved.half == pytest.approx(found.half, abs=1e-4)


def test_settings_are_ranked_by_completed_trials_then_by_the_best_lap() -> None:
    trials = [
        *(trial("slow", seed, [None, 30.0]) for seed in (0, 1)),
        *(trial("fast", seed, [None, 20.0]) for seed in (0, 1)),
        trial("lucky", 0, [10.0]),
        trial("lucky", 1, [None, None]),
    ]
    found = comparison.summarise(trials)
    assert [summary.setting for summary in found] == ["fast", "slow", "lucky"]
    assert [summary.with_lap for summary in found] == [2, 2, 1]
    rows = comparison.table(found)
    assert rows[0] == ["fast", "2", "2", "8.0 ± 0.0", "20.00 ± 0.00", "100 ± 0", "200 ± 0"]
    assert rows[2][3] == "4.0", "one value has no interval"
    assert comparison.markdown("Sweep s", found).count("\n| ") == 5  # header, rule, three settings


def test_a_trial_without_a_lap_says_none() -> None:
    (row,) = comparison.table(comparison.summarise([trial("never", 0, [None])]))
    assert row[3:5] == ["none", "none"]


def test_curves_meet_on_one_grid_and_widen_where_trials_differ() -> None:
    grid = np.array([0.0, 100.0, 150.0, 200.0])
    trials = [trial("a", seed, laps) for seed, laps in enumerate([[None, 20.0], [None, None]])]
    lines = np.array([comparison.on_grid(one.rows, comparison.LAP, grid) for one in trials])
    np.testing.assert_array_equal(lines, [[np.nan, 30, 65, 100], [np.nan, 30, 30, 30]])
    mean, half = comparison.band(lines)
    np.testing.assert_array_equal(mean, [np.nan, 30, 47.5, 65])
    assert half[:2].tolist() == [0, 0]
    assert half[3] > half[2] > 0
    assert comparison.curves([trial("a", 0, [None, 20.0]), trial("b", 1, [None])]).startswith(b"\x89PNG")


def test_the_best_lap_so_far_is_a_staircase_that_begins_with_the_first_lap() -> None:
    grid = np.array([0.0, 199.0, 200.0, 350.0, 400.0])
    rows = trial("a", 0, [None, 20.0, 25.0, 18.0]).rows
    found = comparison.on_grid(rows, comparison.BEST_SO_FAR, grid)
    np.testing.assert_array_equal(found, [np.nan, np.nan, 20, 20, 18])


@given(st.lists(st.lists(st.none() | st.floats(-1e3, 1e3), min_size=3, max_size=3), min_size=1, max_size=6))
def test_a_band_is_the_interval_of_the_values_that_there_are(values: list[list[float | None]]) -> None:
    mean, half = comparison.band(np.array(values, float))
    for point in range(3):
        wanted = interval([row[point] for row in values if row[point] is not None])
        if wanted is None:
            assert np.isnan(mean[point])
        else:
            assert mean[point] == pytest.approx(wanted.mean, abs=1e-6)
            assert half[point] == pytest.approx(wanted.half or 0.0, abs=1e-6)


def test_entropy_is_left_out_where_nobody_has_one() -> None:
    def height(trials: list[Trial]) -> int:
        return Image.open(io.BytesIO(comparison.curves(trials))).height

    without = trial("a", 0, [None, 20.0])
    rows = [replace(row, learning={"entropy": 1.5}) for row in without.rows]
    assert height([replace(without, rows=rows)]) > height([without])
