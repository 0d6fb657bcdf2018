"""A training that begins with the model of another, in processes and with a real store."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kuberacer.store.checkpoints import CheckpointStore
from kuberacer.store.client import ObjectStore
from tests.local.distributed import CARS, QUOTA, RACE, ROOT, SameStore, Training, running_store

# Attributes are a map, which protobuf writes in any order.
SAME = """
import sys
from pathlib import Path
from kuberacer.coach.compat.tensorflow_names import tf
one, other = (tf.GraphDef.FromString(Path(name).read_bytes()) for name in sys.argv[1:])
assert one.node and one == other
"""


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
    graphs = []
    for run in ("first", "second"):
        graphs.append(tmp_path / f"{run}.pb")
        objects.get_file(f"{run}/model/model_2.pb", graphs[-1])
    subprocess.run([RACE, "-c", SAME, *graphs], check=True, cwd=ROOT)
    before, after = (CheckpointStore(objects, run).find("last") for run in ("first", "second"))
    assert before is not None
    assert after is not None
    assert after.iteration == 3
    assert f"3_Step-{3 * QUOTA}.ckpt.index" in after.files
    assert json.loads(CheckpointStore(objects, "second").read(after, "model_metadata.json"))["action_space"]
    assert any("begins with first, checkpoint" in line for line in second.lines)
