"""Which frozen graphs a training leaves in its store, a real one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from seaweed import seaweed

from kuberacer.errors import UserError
from kuberacer.rollout.checkpointing import KEPT, Checkpointing
from kuberacer.store.client import ObjectStore
from kuberacer.store.graphs import kept_every


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with seaweed(tmp_path_factory.mktemp("seaweed")) as settings:
        yield ObjectStore(settings)


BEST, ITERATIONS = 5, 12


def train(store: ObjectStore, run: str, work: Path) -> set[int]:
    """Send as many iterations as a training does, the fifth the best; the iterations whose graphs are left."""
    nobody = cast(Any, None)  # agent and records are not asked while a checkpoint is sent
    checkpoints = Checkpointing(nobody, nobody, store, run, work, {})
    for iteration in range(1, ITERATIONS + 1):
        folder, graph, csv = work / f"c{iteration}", work / f"model_{iteration}.pb", work / f"{iteration}-iteration.csv"
        folder.mkdir()
        (folder / f"{iteration}_Step-{iteration}.ckpt.index").write_text(str(iteration))
        graph.write_text(f"graph {iteration}")
        csv.write_text("")
        lap = {"laps": iteration == BEST, "completed": True, "seconds": 9.0, "progress": 100.0}
        checkpoints._send(iteration, folder, graph, {f"{run}/training-simtrace/{csv.name}": csv}, lap)
    left = [key for key in store.list(f"{run}/model/") if key.endswith(".pb")]
    return {int(key.rpartition("_")[2].removesuffix(".pb")) for key in left}


@pytest.mark.parametrize("every", [1, 4])
def test_every_kth_graph_stays_and_those_of_the_kept_checkpoints(
    every: int, store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBERACER_KEEP_GRAPHS", str(every))
    kept = {BEST, *range(ITERATIONS - KEPT + 1, ITERATIONS + 1)}
    wanted = {number for number in range(1, ITERATIONS + 1) if number % every == 0} | kept
    assert train(store, f"every-{every}", tmp_path) == wanted


@pytest.mark.parametrize("text", ["0", "-1", "all", "1.5", "²"])
def test_what_is_no_number_is_told_by_its_variable(text: str) -> None:
    with pytest.raises(UserError, match="KUBERACER_KEEP_GRAPHS"):
        kept_every({"KUBERACER_KEEP_GRAPHS": text})


def test_all_stay_where_nothing_is_said() -> None:
    assert kept_every({}) == 1
