"""Checkpoints are whole whatever happens to their writer, and nothing of them stays for ever."""

import contextlib
import hashlib
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuberacer.errors import UserError
from kuberacer.settings import StoreSettings
from kuberacer.store.checkpoints import CheckpointStore, DamagedError, Manifest
from kuberacer.store.client import NotFoundError, ObjectStore


def lap(progress: float = 50.0, seconds: float = 10.0, laps: int = 0) -> dict[str, Any]:
    completed = progress >= 100
    return {"laps": laps or int(completed), "completed": completed, "seconds": seconds, "progress": progress}


@pytest.fixture
def checkpoints(store: ObjectStore) -> CheckpointStore:
    return CheckpointStore(store, "runs/one")


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[int], Path]:
    """Makes the folder of an iteration's checkpoint: weights of its own, a graph that all share."""

    def make(iteration: int) -> Path:
        made = tmp_path / f"checkpoint-{iteration}"
        made.mkdir()
        (made / "weights.data").write_bytes(hashlib.sha256(str(iteration).encode()).digest() * 3000)
        (made / "graph.meta").write_bytes(b"graph" * 1000)
        (made / ".coach_checkpoint").write_text(f"{iteration}_Step-1.ckpt")
        return made

    return make


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_checkpoint_comes_back_as_it_went_in(checkpoints: CheckpointStore, folder, tmp_path: Path):
    assert checkpoints.find("last") is None
    assert checkpoints.find("best") is None
    assert checkpoints.load_last(tmp_path / "none") is None
    saved = checkpoints.save(folder(1), 1, lap())
    found = checkpoints.find("last")
    assert found == saved == checkpoints.find(1) == checkpoints.find("best")
    assert found is not None
    checkpoints.load(found, tmp_path / "out")
    assert content(tmp_path / "out") == content(tmp_path / "checkpoint-1")
    assert checkpoints.find(2) is None


def test_equal_files_are_stored_once(checkpoints: CheckpointStore, folder):
    checkpoints.save(folder(1), 1, lap())
    checkpoints.save(folder(2), 2, lap())
    assert len(list(checkpoints.store.list("runs/one/objects/"))) == 5  # 2 weights, 2 pointers, 1 graph


def test_best_is_most_completed_laps_then_the_shorter_time_then_the_longer_way(checkpoints: CheckpointStore, folder):
    laps = [lap(30), lap(60), lap(100, 20), lap(100, 18), lap(99, 1), lap(100, 18), lap(100, 19, laps=2)]
    best = []
    for iteration, driven in enumerate(laps, start=1):
        checkpoints.save(folder(iteration), iteration, driven)
        found = checkpoints.find("best")
        assert found is not None
        best.append(found.iteration)
    assert best == [1, 2, 3, 4, 4, 6, 7]
    with pytest.raises(ValueError, match="neither last nor best"):
        checkpoints.find("bset")


def test_prune_keeps_the_last_the_best_and_what_they_need(checkpoints: CheckpointStore, folder, tmp_path: Path):
    for iteration in range(1, 8):
        checkpoints.save(folder(iteration), iteration, lap(100, 10) if iteration == 2 else lap(iteration))
    assert checkpoints.prune(keep=3) == [1, 3, 4]
    assert checkpoints.iterations() == [2, 5, 6, 7]
    assert len(list(checkpoints.store.list("runs/one/objects/"))) == 2 * 4 + 1
    for which in ("best", "last", 5, 6):
        manifest = checkpoints.find(which)
        assert manifest is not None
        checkpoints.load(manifest, tmp_path / f"out-{which}")
        assert content(tmp_path / f"out-{which}") == content(tmp_path / f"checkpoint-{manifest.iteration}")
    assert checkpoints.prune(keep=3) == []


def test_other_runs_are_left_alone(store: ObjectStore, folder, tmp_path: Path):
    one, two = CheckpointStore(store, "runs/one"), CheckpointStore(store, "runs/one-more")
    two.save(folder(1), 1, lap())
    one.save(folder(2), 2, lap())
    one.save(folder(3), 3, lap(60))
    assert one.prune(keep=1) == [2]
    assert two.load_last(tmp_path / "out") is not None
    assert content(tmp_path / "out") == content(tmp_path / "checkpoint-1")


class KilledError(BaseException):
    pass


class FailingStore(ObjectStore):
    """The real store; its writing call number `fails_at` does not happen."""

    def __init__(self, settings: StoreSettings, fails_at: int):
        super().__init__(settings)
        self.calls, self.fails_at = 0, fails_at

    def _call(self, operation: str, key: str, **arguments: Any) -> Any:
        if operation.startswith(("put", "delete")):
            self.calls += 1
            if self.calls == self.fails_at:
                raise KilledError
        return super()._call(operation, key, **arguments)


@pytest.mark.parametrize("fails_at", range(1, 9))
def test_a_writer_that_dies_at_any_write_leaves_a_whole_checkpoint(
    store: ObjectStore, settings: StoreSettings, folder, tmp_path: Path, fails_at: int
):
    """Writes of one turn: 2 new files, the manifest, the pruned manifests, the pruned objects."""
    whole = CheckpointStore(store, "run")
    for iteration in (1, 2, 3):
        whole.save(folder(iteration), iteration, lap(iteration))
    failing = FailingStore(settings, fails_at)
    writer = CheckpointStore(failing, "run")
    new, died = folder(4), False
    try:
        writer.save(new, 4, lap(4))
        writer.prune(keep=2)
    except KilledError:
        died = True
    assert died == (fails_at <= 5)
    found = whole.load_last(tmp_path / "out")
    assert found is not None
    assert found.iteration == (4 if fails_at > 3 else 3)
    assert content(tmp_path / "out") == content(tmp_path / f"checkpoint-{found.iteration}")
    # The next start does the turn again, and nothing of the one that died stays.
    whole.save(new, 4, lap(4))
    whole.prune(keep=2)
    assert whole.iterations() == [3, 4]
    assert len(list(store.list("run/objects/"))) == 5


def test_readers_see_whole_checkpoints_while_one_writes(
    store: ObjectStore, settings: StoreSettings, folder, tmp_path: Path
):
    writer = CheckpointStore(store, "run")
    writer.save(folder(1), 1, lap(1))
    done, faults, seen = threading.Event(), [], []

    def read(number: int) -> None:
        reader = CheckpointStore(ObjectStore(settings), "run")
        try:
            while not done.is_set() or not seen:
                out = tmp_path / f"reader-{number}"
                manifest = reader.load_last(out)
                assert manifest is not None
                assert content(out) == content(tmp_path / f"checkpoint-{manifest.iteration}")
                assert reader.find("best") is not None
                seen.append(manifest.iteration)
        except BaseException as error:
            faults.append(error)

    readers = [threading.Thread(target=read, args=(number,)) for number in range(2)]
    for reader in readers:
        reader.start()
    for iteration in range(2, 12):
        writer.save(folder(iteration), iteration, lap(iteration))
        writer.prune(keep=3)
    done.set()
    for reader in readers:
        reader.join()
    assert not faults
    assert seen


def test_what_the_store_has_lost_is_named_and_the_checkpoint_before_it_is_taken(
    checkpoints: CheckpointStore, folder, tmp_path: Path
):
    for iteration in (1, 2, 3):
        checkpoints.save(folder(iteration), iteration, lap())
    last, middle = checkpoints.find(3), checkpoints.find(2)
    assert last is not None
    assert middle is not None
    damaged, lost = (f"runs/one/objects/{manifest.files['weights.data'][0]}" for manifest in (last, middle))
    checkpoints.store.put_bytes(damaged, bytes(3))
    checkpoints.store.delete(lost)
    with pytest.raises(DamagedError, match=r"checkpoint 3 of runs/one: weights\.data is damaged"):
        checkpoints.load(last, tmp_path / "out-3")
    with pytest.raises(NotFoundError):
        checkpoints.load(middle, tmp_path / "out-2")
    found = checkpoints.load_last(tmp_path / "out")
    assert found is not None
    assert found.iteration == 1
    assert content(tmp_path / "out") == content(tmp_path / "checkpoint-1")
    # Saving the same again mends it.
    assert checkpoints.save(tmp_path / "checkpoint-3", 3, lap()).files == last.files
    checkpoints.load(last, tmp_path / "mended")
    checkpoints.store.delete_prefix("runs/one/objects/")
    with pytest.raises(NotFoundError):
        checkpoints.load_last(tmp_path / "nothing")


GOOD = {"iteration": 1, "files": {"a": ["0" * 64, 1]}, "lap": lap(), "saved_at": 1.0, "schema": 1}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(GOOD)), json_values)
def test_a_manifest_is_read_or_refused(key: str, value: Any):
    """Whatever lies in the bucket: a manifest, or a UserError."""
    text = json.dumps({**GOOD, key: value}).encode()
    with contextlib.suppress(UserError):
        Manifest.parse(text, "key").rank()


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "../x", "/etc/passwd", "a\n", "x" * 201])
def test_names_cannot_lead_out_of_the_folder(name: str):
    text = json.dumps({**GOOD, "files": {name: ["0" * 64, 1]}}).encode()
    with pytest.raises(UserError, match="no checkpoint manifest"):
        Manifest.parse(text, "key")


@given(st.binary(max_size=200))
def test_what_is_no_manifest_is_refused(data: bytes):
    with pytest.raises(UserError, match="no checkpoint manifest"):
        Manifest.parse(data, "key")
