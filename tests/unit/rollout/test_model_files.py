"""Models out of a real object store: which checkpoint, and what is refused."""

from pathlib import Path

import pytest

from kuberacer.coach.metadata import ModelMetadata
from kuberacer.errors import UserError
from kuberacer.formats.checkpoints_json import CheckpointEntry, Checkpoints
from kuberacer.rollout import model_files
from kuberacer.rollout.model_files import check_model, fetch_graph, fetch_model, open_store
from kuberacer.settings import StoreSettings
from kuberacer.store.checkpoints import CheckpointStore
from kuberacer.store.client import ObjectStore

METADATA = ModelMetadata.default("clipped_ppo")
LAP = {"laps": 1, "completed": True, "seconds": 20.0, "progress": 100.0}


@pytest.fixture
def store(store: ObjectStore) -> ObjectStore:
    """The server's bucket with a run that has models of three iterations and was published: its best one is 2."""
    for iteration in (1, 2, 7):
        store.put_bytes(f"run/model/model_{iteration}.pb", f"graph {iteration}".encode())
    best = CheckpointEntry("2_Step-4096.ckpt", 100.0, 0.0)
    store.put_bytes("run/model/deepracer_checkpoints.json", Checkpoints(best, best).to_json().encode())
    store.put_bytes("run/model/model_metadata.json", METADATA.to_json().encode())
    return store


def graph(store: ObjectStore, which: str, folder: Path, prefix: str = "run") -> str:
    fetch_graph(store, prefix, which, METADATA, folder)
    return (folder / "model.pb").read_text()


@pytest.mark.parametrize(
    ("which", "found"), [("best", 2), ("1", 1), ("7", 7), ("7_Step-14336.ckpt", 7), ("2", 2), ("last", 2)]
)
def test_a_checkpoint_is_named_by_rank_iteration_or_name(store: ObjectStore, tmp_path: Path, which: str, found: int):
    assert graph(store, which, tmp_path) == f"graph {found}"


def test_the_last_one_is_what_the_training_saved_last(store: ObjectStore, tmp_path: Path):
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "file").write_text("x")
    CheckpointStore(store, "run").save(tmp_path / "saved", 7, LAP)
    assert graph(store, "last", tmp_path) == "graph 7"


def test_a_folder_without_a_list_gives_its_newest_model(store: ObjectStore, tmp_path: Path):
    store.delete("run/model/deepracer_checkpoints.json")
    assert graph(store, "best", tmp_path) == "graph 7"


def test_a_published_model_comes_with_its_metadata(store: ObjectStore, settings: StoreSettings, tmp_path: Path):
    for address in ("run", "run/", f"s3://{settings.kuberacer_s3_bucket}/run"):
        opened, prefix = open_store(settings, address)
        assert fetch_model(opened, prefix, "best", tmp_path) == METADATA
    assert (tmp_path / "model_metadata.json").is_file()


@pytest.mark.parametrize(
    ("which", "cause"),
    [("3", "no model of iteration 3"), ("newest", "EVAL_CHECKPOINT is 'newest'"), ("²", "EVAL_CHECKPOINT"), ("", "''")],
)
def test_what_is_not_there_is_refused(store: ObjectStore, tmp_path: Path, which: str, cause: str):
    with pytest.raises(UserError) as refused:
        fetch_graph(store, "run", which, METADATA, tmp_path)
    assert cause in refused.value.cause
    if which == "3":
        assert "1, 2, 7" in refused.value.remedy


def test_a_race_s_models_are_checked_before_it(store: ObjectStore, settings: StoreSettings):
    check_model(settings, "run", "best")
    check_model(settings, "run", "7")
    with pytest.raises(UserError, match="no model of iteration 9"):
        check_model(settings, "run", "9")
    with pytest.raises(UserError, match="there is no s3://"):
        check_model(settings, "nobody", "best")


def test_a_run_without_models_is_refused(store: ObjectStore, tmp_path: Path):
    with pytest.raises(UserError, match="there is no model below s3://"):
        fetch_graph(store, "nobody", "best", METADATA, tmp_path)
    with pytest.raises(UserError, match=r"model_metadata\.json"):
        fetch_model(store, "nobody", "best", tmp_path)


def test_faulty_texts_are_named(store: ObjectStore, tmp_path: Path):
    store.put_bytes("run/model/deepracer_checkpoints.json", b'{"best_checkpoint": 3}')
    with pytest.raises(UserError, match=r"deepracer_checkpoints\.json is damaged"):
        fetch_graph(store, "run", "best", METADATA, tmp_path)
    store.put_bytes("run/model/model_metadata.json", b"\xff\xfe")
    with pytest.raises(UserError, match="no text"):
        fetch_model(store, "run", "best", tmp_path)
    store.put_bytes("run/model/model_metadata.json", b"{}")
    with pytest.raises(UserError, match=r"s3://.*/run"):
        fetch_model(store, "run", "best", tmp_path)


def test_what_is_too_large_is_not_fetched(store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(model_files, "MAX_GRAPH_BYTES", 4)
    with pytest.raises(UserError, match="more than"):
        fetch_graph(store, "run", "best", METADATA, tmp_path)
    assert not (tmp_path / "model.pb").exists()
