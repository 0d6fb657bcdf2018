"""Rivals that are folders of this machine reach the stages through the store."""

from pathlib import Path

import pytest
import yaml

from kuberacer.errors import UserError
from kuberacer.formats.race_config import RaceConfig
from kuberacer.run.rivals import local_rivals, with_addresses
from kuberacer.run.store import Store
from kuberacer.store.client import ObjectStore


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run's folder with its published model."""
    model = tmp_path / "ada" / "model"
    model.mkdir(parents=True)
    (model / "model_metadata.json").write_text("{}")
    (model / "model_7.pb").write_bytes(b"graph")
    (model / "7_Step-100.ckpt.index").write_bytes(b"not needed")
    return model.parent


def race(*prefixes: str) -> str:
    return yaml.safe_dump({"RACE_TYPE": "F1", "MODEL_S3_PREFIX": ["own", *prefixes], "CAR_COLOR": ["Red"]})


def test_a_folder_gets_an_address_by_its_content(store: ObjectStore, run: Path) -> None:
    arguments = {"race": race(str(run), "s3://other/eve", "bob"), "evaluation": "", "track": "kidney"}
    Store(store, {}, "").race(arguments)
    cars = RaceConfig.parse(arguments["race"], "training").cars
    assert [car.address for car in cars[2:]] == ["s3://other/eve", "bob"]
    assert cars[0].color == "Red"
    prefix = cars[1].address.removeprefix(store.address(""))
    assert store.get_bytes(f"{prefix}/model/model_7.pb") == b"graph"
    assert store.get_bytes(f"{prefix}/model/model_metadata.json") == b"{}"
    assert len(list(store.list(f"{prefix}/"))) == 2
    again = {"race": race(str(run / "model"))}
    Store(store, {}, "").race(again)
    assert RaceConfig.parse(again["race"], "training").cars[1].address == cars[1].address


def test_a_folder_without_a_model_is_an_error_that_names_it(store: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no published model"):
        Store(store, {}, "").race({"race": race(str(tmp_path))})


@pytest.mark.parametrize("text", ["", "RACE_TYPE: TIME_TRIAL", "MODEL_S3_PREFIX: ada", race("bob", "s3://a/b", "")])
def test_other_yaml_stays_as_it_is(text: str) -> None:
    assert with_addresses(text, "race", lambda folder: pytest.fail(str(folder))) == text
    assert local_rivals(text, "race") == []
