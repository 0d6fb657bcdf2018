"""The result of a race: who came in where, and the file that it is kept in."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from kuberacer.formats.race_result import CarResult, RaceResult, TrackResult, TrialResult, classify


def trial(number: int = 1, seconds: float = 20.0, completed: bool = True, progress: float = 50.0, off: float = 0.0):
    return TrialResult(
        number, 100.0 if completed else progress, "lap_complete" if completed else "off_track", seconds,
        {"off_track": off, "crashed": 0.0}, {"off_track": int(off > 0), "crashed": 0}, int(off > 0),
    )  # fmt: skip


def car(name: str, *trials: TrialResult) -> CarResult:
    return CarResult(name, "Red", f"{name}/model", list(trials))


def test_laps_come_before_time_and_time_before_the_way():
    cars = [
        car("few laps", trial(1, 10.0), trial(2, 1.0, completed=False)),
        car("quick", trial(1, 20.0), trial(2, 21.5)),
        car("slow", trial(1, 25.0), trial(2, 22.0, off=5.0)),
        car("none", trial(1, 3.0, completed=False, progress=40.0)),
        car("further", trial(1, 9.0, completed=False, progress=60.0)),
    ]
    found = classify(cars)
    assert [one.position for one in found] == [3, 1, 2, 5, 4]
    assert [one.gap_s for one in found] == [None, 0.0, 5.5, None, None]
    assert [one.name for one in TrackResult("t", 9.0, found).standings()] == [
        "quick",
        "slow",
        "few laps",
        "further",
        "none",
    ]


def test_a_car_alone_has_won():
    (alone,) = classify([car("alone", trial(completed=False))])
    assert (alone.position, alone.gap_s, alone.best, alone.laps) == (1, 0.0, None, 0)


times = st.floats(0.1, 1000.0)
trials = st.builds(trial, st.integers(1, 9), times, st.booleans(), st.floats(0.0, 99.0), st.floats(0.0, 50.0))
cars = st.lists(st.builds(car, st.text(max_size=5), trials, trials), min_size=1, max_size=6)


@given(cars)
def test_positions_count_from_one_and_follow_the_ranks(entered: list[CarResult]):
    found = classify(entered)
    positions = [one.position for one in found]
    assert min(positions) == 1
    assert all(sum(other < position for other in positions) == position - 1 for position in positions)
    for one in found:
        assert all(one.position <= other.position for other in found if one.rank() <= other.rank())
        assert one.gap_s is None or one.gap_s >= 0.0


@given(cars)
def test_a_result_reads_back(tmp_path_factory, entered: list[CarResult]):
    path: Path = tmp_path_factory.mktemp("result") / "race_result.json"
    result = RaceResult("F1", "Ada", True, "best", "club", "", [TrackResult("kidney", 18.5, classify(entered), 9.5)])
    result.write(path)
    assert RaceResult.read(path) == result


def test_the_best_lap_is_the_quickest_completed_one_with_its_penalties():
    one = car("a", trial(1, 30.0, off=10.0), trial(2, 25.0), trial(3, 9.0, completed=False))
    assert one.best is not None
    assert one.best.trial == 2
    assert one.penalty_seconds == 10.0
    assert one.seconds == 64.0
