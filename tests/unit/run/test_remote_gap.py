"""The time that an engine takes for itself."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuberacer.run.remote.gap import covered, orchestration_gap

T0 = datetime(2026, 3, 1, 10, tzinfo=UTC)


def at(second: int) -> str:
    return (T0 + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%SZ")


def pod(first: int, last: int) -> dict:
    ended = {"startedAt": at(first), "finishedAt": at(last), "exitCode": 0}
    return {"status": {"containerStatuses": [{"name": "main", "state": {"terminated": ended}}]}}


def workflow(last: int | None) -> dict:
    return {
        "metadata": {"creationTimestamp": at(0)},
        "status": {"finishedAt": None if last is None else at(last)},
    }


def test_a_chain_of_two() -> None:
    assert orchestration_gap(workflow(20), [pod(2, 8), pod(11, 18)]) == pytest.approx(3.5)


def test_steps_at_once_count_once() -> None:
    assert orchestration_gap(workflow(20), [pod(2, 18), pod(4, 10)]) == pytest.approx(2.0)


def test_a_run_that_goes_on_has_no_gap_yet() -> None:
    with pytest.raises(ValueError, match="not ended"):
        orchestration_gap(workflow(None), [pod(1, 2)])
    with pytest.raises(ValueError, match="no stage"):
        orchestration_gap(workflow(3), [{"status": {}}])


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)).map(sorted), max_size=8))
def test_covered_seconds_are_those_of_a_count_by_hand(spans: list[list[int]]) -> None:
    by_hand = len({second for first, last in spans for second in range(first, last)})
    moments = sorted((T0 + timedelta(seconds=first), T0 + timedelta(seconds=last)) for first, last in spans)
    assert covered(moments) == by_hand
