"""A training that begins with the model of another, in processes and with a real store."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from kuberacer.store.checkpoints import CheckpointStore
from kuberacer.store.client import ObjectStore
from tests.local.distributed import CARS, QUOTA, SameStore, Training, running_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SameStore]:
    with running_store(tmp_path / "store") as store:
        yield store


def test_a_clone_goes_on_where_its_model_stood(tmp_path: Path, store: SameStore) -> None:
    first = Training.start(tmp_path / "first", store, 0, run="first", steps=2 * QUOTA, cars=CARS)
    assert first.end() == 0, first.lines
    given = {"run": "second", "pretrained": "first", "pretrained-checkpoint": "last", "cars": CARS, "seed": 5}
    second = Training.start(tmp_path / "second", store, 0, steps=QUOTA, **given)
    assert second.end() == 0, second.lines
    assert [(row["iteration"], row["steps"]) for row in second.history] == [(3, QUOTA)], "its own steps"
    told = second.summary["pretrained"]
    assert (told["from"], told["iteration"], told["optimizer_state"]) == ("first", 2, True)
    assert told["checkpoint"] == f"2_Step-{2 * QUOTA}.ckpt"
    assert store.settings is not None
    objects = ObjectStore(store.settings)
    # What it measured first is the very model: the same graph, frozen anew, and the same laps.
    graphs = [objects.get_bytes(f"{run}/model/model_2.pb") for run in ("first", "second")]
    assert graphs[0] == graphs[1]
    before, after = (CheckpointStore(objects, run).find("last") for run in ("first", "second"))
    assert before is not None
    assert after is not None
    assert after.iteration == 3
    assert f"3_Step-{3 * QUOTA}.ckpt.index" in after.files
    assert json.loads(CheckpointStore(objects, "second").read(after, "model_metadata.json"))["action_space"]
    assert any("begins with first, checkpoint" in line for line in second.lines)
