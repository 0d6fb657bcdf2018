"""Models on the user's side: found by name, put into a store, imported and refused."""

import json
import tarfile
from pathlib import Path

import pytest

from kuberacer.errors import UserError
from kuberacer.run import models
from kuberacer.store.client import ObjectStore
from kuberacer.store.server import SeaweedServer

NAME = "3_Step-30.ckpt"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    model = tmp_path / "out" / "models" / "club" / "model"
    model.mkdir(parents=True)
    for part in ("data-00000-of-00001", "index", "meta"):
        (model / f"{NAME}.{part}").write_bytes(part.encode())
    (model / "model_metadata.json").write_text('{"training_algorithm": "sac"}')
    (model / "model_3.pb").write_bytes(b"graph")
    (tmp_path / "out" / "ring-1").mkdir()
    (tmp_path / "out" / "latest").symlink_to("ring-1")
    return tmp_path / "out"


def test_a_model_is_found_by_name_or_folder(out: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("KUBERACER_S3_BUCKET", raising=False)
    club = out / "models" / "club"
    assert models.find(out, "club") == models.find(out, str(club)) == club
    assert models.find(out, "latest") == out / "ring-1"
    assert models.find(out, "s3://bucket/prefix") is None
    with pytest.raises(UserError, match="there is no model nowhere"):
        models.find(out, "nowhere")
    monkeypatch.setenv("KUBERACER_S3_BUCKET", "bucket")
    assert models.pretrained(out, "elsewhere", on_cluster=False) == "elsewhere"
    assert models.pretrained(out, "club", on_cluster=True) == str(club)
    assert models.algorithm_of(str(club)) == "sac"


def test_a_model_goes_into_the_store_once_by_its_content(out: Path, tmp_path: Path):
    with SeaweedServer(tmp_path / "store") as server:
        assert server.settings is not None
        store = ObjectStore(server.settings)
        folder = str(out / "models" / "club")
        address = models.put_pretrained(store, folder, "best")
        prefix = address.removeprefix(f"s3://{store.bucket}/")
        names = {key.removeprefix(f"{prefix}/model/") for key in store.list(f"{prefix}/")}
        parts = {f"{NAME}.{part}" for part in ("data-00000-of-00001", "index", "meta")}
        assert names == parts | {"model_metadata.json", "origin.json"}
        assert json.loads(store.get_bytes(f"{prefix}/model/origin.json")) == {"from": "club"}
        assert models.put_pretrained(store, folder, "best") == address
        assert models.put_pretrained(store, address, "best") == address
        (out / "models" / "club" / "model" / f"{NAME}.index").write_bytes(b"other")
        assert models.put_pretrained(store, folder, "best") != address


def test_a_run_of_another_machine_says_where_its_last_checkpoint_is(out: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("KUBERACER_S3_BUCKET", raising=False)
    (out / "ring-1" / "run.json").write_text("{}")
    with pytest.raises(UserError, match="last checkpoint of ring-1 is not on this machine"):  # noqa: SIM117
        with models.checkpoint_of(out / "ring-1", "last"):
            pass


@pytest.mark.parametrize(("name", "said"), [("club", "club is there"), ("../x", "no name for a model")])
def test_names_are_checked_before_anything_is_done(out: Path, name: str, said: str):
    with pytest.raises(UserError, match=said):
        models.import_model(out, "model.tar.gz", "best", name)


def test_a_refused_archive_leaves_nothing(out: Path, tmp_path: Path):
    (tmp_path / "agent.pkl").write_bytes(b"x")
    with tarfile.open(tmp_path / "bad.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "agent.pkl", "model/agent.pkl")
    with pytest.raises(UserError, match=r"model/agent\.pkl is a pickle") as caught:
        models.import_model(out, str(tmp_path / "bad.tar.gz"), "best", "bad")
    assert caught.value.remedy
    assert [path.name for path in (out / "models").iterdir()] == ["club"]
