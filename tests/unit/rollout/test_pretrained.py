"""The model that a training begins with: out of a real object store, and against the run's metadata."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from kuberacer.coach.checkpoint_files import PARTS
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.errors import UserError
from kuberacer.rollout import pretrained
from kuberacer.rollout.model_folder import ModelFolder, choose
from kuberacer.rollout.pretrained import fetch, metadata_for
from kuberacer.settings import StoreSettings
from kuberacer.store.checkpoints import CheckpointStore
from kuberacer.store.client import ObjectStore

METADATA = ModelMetadata.default("clipped_ppo")
LAP = {"laps": 1, "completed": True, "seconds": 20.0, "progress": 100.0}
NAMES = ("3_Step-30.ckpt", "12_Step-120.ckpt")


def listed(best: str, last: str) -> str:
    entries = {"best_checkpoint": best, "last_checkpoint": last}
    return json.dumps({key: {"name": name, "avg_eval_metric": 1, "time_stamp": 1} for key, name in entries.items()})


def model_files(*names: str) -> dict[str, bytes]:
    files = {f"{name}{part}": f"{name}{part}".encode() for name in names for part in PARTS}
    return files | {"model_metadata.json": METADATA.to_json().encode()}


@pytest.mark.parametrize("place", ["club/model/", "club/"])
@pytest.mark.parametrize(("which", "name"), [("best", NAMES[0]), ("last", NAMES[1])])
def test_deepracers_folder_gives_best_or_last(
    store: ObjectStore, settings: StoreSettings, tmp_path: Path, place: str, which: str, name: str
):
    for file, data in model_files(*NAMES).items():
        store.put_bytes(f"{place}{file}", data)
    store.put_bytes(f"{place}deepracer_checkpoints.json", listed(*NAMES).encode())
    found = fetch(settings, f"s3://{settings.kuberacer_s3_bucket}/club", which, tmp_path / "fetched")
    assert (found.name, found.metadata) == (name, METADATA)
    assert Path(f"{found.prefix}.index").read_bytes() == f"{name}.index".encode()
    assert len(list((tmp_path / "fetched").iterdir())) == 4, "nothing else was fetched"


def test_a_run_gives_its_own_checkpoints_finished_or_not(store: ObjectStore, settings: StoreSettings, tmp_path: Path):
    for iteration, lap in ((3, LAP), (12, {**LAP, "laps": 0, "completed": False})):
        folder = tmp_path / str(iteration)
        folder.mkdir()
        for file, data in (model_files(f"{iteration}_Step-{iteration}0.ckpt") | {"history.jsonl": b"{}"}).items():
            (folder / file).write_bytes(data)
        CheckpointStore(store, "run").save(folder, iteration, lap)
    assert [fetch(settings, "run", which, tmp_path / which).iteration for which in ("best", "last")] == [3, 12]
    assert not (tmp_path / "best" / "history.jsonl").exists()


def test_where_there_is_no_model_the_address_is_named(store: ObjectStore, settings: StoreSettings, tmp_path: Path):
    with pytest.raises(UserError, match=r"there is no model at .*: neither"):
        fetch(settings, "nothing", "best", tmp_path / "fetched")


@pytest.mark.parametrize(
    ("names", "text", "which", "said"),
    [
        ((), None, "best", "no whole checkpoint"),
        (NAMES, None, "newest", "the checkpoint is 'newest'"),
        (NAMES, "{", "best", "deepracer_checkpoints.json is damaged"),
        (NAMES, "[]", "best", "deepracer_checkpoints.json is damaged"),
        (NAMES, listed("../../etc/passwd", NAMES[1]), "best", "which is not here with all its parts"),
        (NAMES[:1], listed(*NAMES), "last", "names '12_Step-120.ckpt' as last, which is not here"),
    ],
)
def test_what_cannot_be_chosen_is_named(names: tuple[str, ...], text: str | None, which: str, said: str):
    with pytest.raises(UserError, match=said):
        choose(model_files(*names), text, which, "club")


def test_without_a_list_the_newest_is_taken():
    assert {choose(model_files(*NAMES), None, which, "club") for which in ("best", "last")} == {NAMES[1]}


def test_two_models_in_one_folder_are_named(tmp_path: Path):
    for place in ("a/model", "b"):
        (tmp_path / place).mkdir(parents=True)
        for file, data in model_files(NAMES[0]).items():
            (tmp_path / place / file).write_bytes(data)
    with pytest.raises(UserError, match="holds 2 models: b, a/model"):
        ModelFolder.find(tmp_path, "best")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"network": "DEEP_CONVOLUTIONAL_NETWORK"}, "the network DEEP_CONVOLUTIONAL_NETWORK_SHALLOW, the run's"),
        ({"sensors": ("STEREO_CAMERAS",)}, r"the sensors \('FRONT_FACING_CAMERA',\), the run's metadata \('STEREO_"),
        ({"action_space": METADATA.action_space[:3]}, "the action_space .*the run's metadata"),  # type: ignore[index]
    ],
)
def test_metadata_that_differ_are_both_named(tmp_path: Path, changed: dict, said: str):
    model = ModelFolder(tmp_path, NAMES[0], METADATA)
    assert metadata_for(model, "", "clipped_ppo") == METADATA
    assert metadata_for(model, METADATA.to_json(), "clipped_ppo") == METADATA
    with pytest.raises(UserError, match=said):
        metadata_for(model, replace(METADATA, **changed).to_json(), "clipped_ppo")


def test_another_algorithm_is_named(tmp_path: Path):
    with pytest.raises(UserError, match="was trained with clipped_ppo, the run's algorithm is sac") as caught:
        metadata_for(ModelFolder(tmp_path, NAMES[0], METADATA), "", "sac")
    assert caught.value.remedy == "set ALGORITHM=clipped_ppo"


@pytest.mark.parametrize("text", ["{", "[]", '{"exploration_steps": -1}', '{"exploration_steps": true}', "{}"])
def test_a_damaged_state_is_named(tmp_path: Path, text: str):
    (tmp_path / "kuberacer_state.json").write_text(text)
    with pytest.raises(UserError, match="is damaged"):
        pretrained._explored(ModelFolder(tmp_path, NAMES[0], METADATA))
