"""Checkpoints whose laps are driven while training goes on."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kuberacer.store.checkpoints import CheckpointStore
from kuberacer.store.client import ObjectStore


def lap(seconds: float, laps: int = 3) -> dict[str, Any]:
    return {"laps": laps, "completed": laps > 0, "seconds": seconds, "progress": 100.0 if laps else 30.0}


@pytest.fixture
def checkpoints(store: ObjectStore) -> CheckpointStore:
    return CheckpointStore(store, "runs/late")


def save(checkpoints: CheckpointStore, tmp_path: Path, iteration: int, known: dict[str, Any] | None = None) -> None:
    folder = tmp_path / str(iteration)
    folder.mkdir(parents=True)
    (folder / "weights").write_text(f"weights {iteration}")
    checkpoints.save(folder, iteration, known)


def test_without_laps_none_is_best_and_the_last_is_last(checkpoints: CheckpointStore, tmp_path: Path) -> None:
    for iteration in (1, 2):
        save(checkpoints, tmp_path, iteration)
    assert checkpoints.find("best") is None
    last = checkpoints.find("last")
    assert last is not None
    assert (last.iteration, last.lap) == (2, None)
    assert last.rank() < (0, -1e9, 0.0)


def test_a_lap_that_comes_later_makes_the_best(checkpoints: CheckpointStore, tmp_path: Path) -> None:
    for iteration in (1, 2, 3):
        save(checkpoints, tmp_path, iteration)
    assert checkpoints.set_lap(2, lap(9.0))
    assert not checkpoints.set_lap(7, lap(1.0))
    best = checkpoints.find("best")
    assert best is not None
    assert (best.iteration, best.lap) == (2, lap(9.0))
    checkpoints.load(best, tmp_path / "out")
    assert (tmp_path / "out" / "weights").read_text() == "weights 2"
    checkpoints.set_lap(3, lap(8.0))
    found = checkpoints.find("best")
    assert found is not None
    assert found.iteration == 3


def test_what_waits_for_its_lap_stays_within_a_bound(checkpoints: CheckpointStore, tmp_path: Path) -> None:
    for iteration in range(1, 8):
        save(checkpoints, tmp_path, iteration)
    assert checkpoints.prune(2, waiting=4) == [1, 2, 3]
    checkpoints.set_lap(6, lap(9.0))  # 4 and 5 were left out: their laps will not come
    save(checkpoints, tmp_path, 8)
    assert checkpoints.prune(2, waiting=4) == [4, 5]
    assert checkpoints.iterations() == [6, 7, 8]
    for iteration in (9, 10):
        save(checkpoints, tmp_path, iteration)
    checkpoints.prune(1, waiting=1)
    assert checkpoints.iterations() == [6, 10]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=14), st.integers(1, 3), st.integers(0, 4))
@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_best_that_is_known_and_the_last_are_always_there(
    store: ObjectStore, tmp_path_factory: pytest.TempPathFactory, events, keep: int, waiting: int
) -> None:
    """events: save the next checkpoint, or tell the lap of the newest but so many."""
    store.delete_all(list(store.list()))
    checkpoints, folder = CheckpointStore(store, "p"), tmp_path_factory.mktemp("events")
    newest, told = 0, {}
    for saves, number in events:
        if saves:
            newest += 1
            save(checkpoints, folder, newest)
            checkpoints.prune(keep, waiting)
        elif newest - number > max(told, default=0) and checkpoints.set_lap(newest - number, lap(10.0 + number)):
            told[newest - number] = (-(10.0 + number), newest - number)
        there = checkpoints.iterations()
        best = checkpoints.find("best")
        assert not newest or newest in there
        assert (best.iteration if best else None) == (max(told, key=lambda i: told[i]) if told else None)
        assert len(there) <= max(keep, waiting) + 2 + len(told)
