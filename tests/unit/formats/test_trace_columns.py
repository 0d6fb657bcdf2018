"""Traces as arrays: what the reader of single lines finds, at once."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kuberacer.errors import UserError
from kuberacer.formats.simtrace import TraceRow, read_trace, write_trace
from kuberacer.formats.status import LABELS
from kuberacer.formats.trace_columns import COLUMNS, iterations_of, pieces, read_columns, read_iterations

NUMBER = st.floats(-1e4, 1e4)
ROWS = st.builds(
    TraceRow,
    episode=st.integers(0, 10**6), steps=st.integers(1, 10**4), x=NUMBER, y=NUMBER, yaw=NUMBER, steer=NUMBER,
    throttle=NUMBER, action=st.integers(0, 29) | st.tuples(NUMBER, NUMBER), reward=NUMBER, done=st.booleans(),
    all_wheels_on_track=st.booleans(), progress=st.floats(0, 100), closest_waypoint=st.integers(0, 999),
    track_len=st.floats(1, 99), tstamp=st.floats(0, 1e4), episode_status=st.sampled_from(sorted(LABELS)),
    pause_duration=st.floats(0, 9), obstacle_crash_counter=st.integers(0, 9), wall_clock=st.floats(0, 2e9),
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ROWS, max_size=8))
def test_the_columns_are_the_rows(tmp_path: Path, rows: list[TraceRow]):
    path = tmp_path / "3-iteration.csv"
    write_trace(path, rows)
    table = read_columns(path, 3)
    assert len(table) == len(rows)
    for found, row in zip(table, read_trace(path), strict=True):
        for name in COLUMNS.names or ():
            if name == "action":
                wanted = row.action if isinstance(row.action, tuple) else (row.action, np.nan)
                np.testing.assert_array_equal(found["action"], wanted)
            else:
                assert found[name] == (3 if name == "iteration" else getattr(row, name))


@pytest.mark.parametrize("line", ["1,2,3", ",".join(["x"] * 19), "0,1" + ",0" * 7 + ",maybe" + ",0" * 9])
def test_a_broken_line_is_named(line: str, tmp_path: Path):
    path = tmp_path / "0-iteration.csv"
    write_trace(path, [])
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(UserError, match=r"0-iteration.csv, line 2"):
        read_columns(path)


def test_files_come_in_the_order_of_their_numbers(tmp_path: Path):
    for number in (10, 9, 2):
        write_trace(tmp_path / f"{number}-iteration.csv", [])
    (tmp_path / "notes-iteration.csv").touch()
    assert list(iterations_of(tmp_path)) == [3, 10, 11]
    assert len(read_iterations(iterations_of(tmp_path).items())) == 0


def test_an_episode_goes_on_in_the_next_file_and_a_lost_ones_number_comes_again():
    table = np.zeros(9, COLUMNS)
    table["episode"] = [7, 7, 5, 5, 7, 5, 8, 7, 7]
    table["steps"] = [1, 2, 1, 2, 3, 3, 1, 1, 2]
    assert pieces(table).tolist() == [0, 0, 1, 1, 0, 1, 2, 3, 3]
