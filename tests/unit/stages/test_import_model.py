"""Models that TensorFlow 1.15 and rl_coach have made (see tests/fixtures/deepracer): imported, exported, compared."""

import importlib.util
import json
import os
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from kuberacer.coach.compat.tensorflow_names import tf
from kuberacer.coach.frozen_policy import FrozenPolicy
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.errors import UserError
from kuberacer.rollout import pretrained
from kuberacer.rollout.model_folder import ModelFolder
from kuberacer.stages.export_model import deliver, lay_out
from kuberacer.stages.import_model import fetched, make

FIXTURES = Path(__file__).parents[2] / "fixtures" / "deepracer"
TOLERANCE = 2e-6  # of probabilities and actions: the two TensorFlows sum in another order


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """made(case) -> (the folder that TensorFlow 1.15 wrote, what it computed and wrote, the imported folder)"""
    found = {}

    def one(case):
        if case not in found:
            folder = tmp_path_factory.mktemp(case)
            with tarfile.open(FIXTURES / f"{case}.tar.xz") as archive:
                archive.extractall(folder)  # our own; Python 3.11.2 has no filter to give
            recorded = json.loads((folder / "recorded.json").read_text())
            make(ModelFolder.find(folder / "model", "last"), str(folder / "model"), "last", folder / "imported")
            found[case] = folder / "model", recorded, folder / "imported"
        return found[case]

    return one


def frames():
    spec = importlib.util.spec_from_file_location("make_fixture", FIXTURES / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.frames()


def outputs(folder: Path, name: str) -> np.ndarray:
    metadata = ModelMetadata.parse((folder / "model_metadata.json").read_text())
    policy = FrozenPolicy(folder / name, metadata)
    try:
        return policy.outputs(frames())
    finally:
        policy.close()


CASES = [("ppo", "14_Step-4021.ckpt"), ("ppo-continuous", "7_Step-2100.ckpt"), ("sac", "31_Step-6200.ckpt")]


@pytest.mark.parametrize(("case", "name"), CASES)
def test_an_imported_model_computes_what_tensorflow_1_15_did(made, case, name):
    _, recorded, imported = made(case)
    expected = np.array(recorded["outputs"][name])
    if case == "sac":
        expected = np.tanh(expected)  # recorded: the mean before it is squashed
    got = outputs(imported / "model", f"model_{name.partition('_')[0]}.pb")
    assert np.ptp(expected, axis=0).max() > 0.01, "the recorded outputs tell frames apart"
    np.testing.assert_allclose(got, expected, atol=TOLERANCE)
    told = json.loads((imported / "model" / "origin.json").read_text())
    assert (told["checkpoint"], told["optimizer_state"], told["from"]) == (name, True, "model")


@pytest.mark.parametrize(("case", "name"), CASES)
def test_every_variable_arrives_bit_by_bit(made, case, name):
    original, recorded, imported = made(case)
    before, after = (tf.train.load_checkpoint(str(folder / name)) for folder in (original, imported / "model"))
    for variable in recorded["variables"]:
        np.testing.assert_array_equal(before.get_tensor(variable), after.get_tensor(variable))


def test_best_and_last_are_two(made):
    original, _, _ = made("ppo")
    assert [ModelFolder.find(original, which).iteration for which in ("best", "last")] == [12, 14]


@pytest.mark.parametrize(("case", "name"), CASES)
def test_an_export_has_the_names_and_shapes_that_rl_coach_restores(made, tmp_path, case, name):
    _, recorded, imported = made(case)
    lay_out(ModelFolder.find(imported, "last"), tmp_path / "out", None)
    shapes = tf.train.load_checkpoint(str(tmp_path / "out" / "model" / name)).get_variable_to_shape_map()
    assert recorded["variables"].items() <= shapes.items()
    assert all("/target/" in extra for extra in shapes.keys() - recorded["variables"].keys())
    files = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert files == {
        "ip/hyperparameters.json", "model_metadata.json", "train-output/model.tar.gz", "model/.coach_checkpoint",
        "model/deepracer_checkpoints.json", "model/model_metadata.json", f"model/model_{name.partition('_')[0]}.pb",
        *(f"model/{name}.{part}" for part in ("data-00000-of-00001", "index", "meta")),
    }  # fmt: skip
    with tarfile.open(tmp_path / "out" / "train-output" / "model.tar.gz") as car:
        assert car.getnames() == ["agent/model.pb", "model_metadata.json"]
    np.testing.assert_array_equal(
        outputs(tmp_path / "out" / "model", f"model_{name.partition('_')[0]}.pb"),
        outputs(imported / "model", f"model_{name.partition('_')[0]}.pb"),
    )


def test_an_exported_archive_is_imported_again(made, tmp_path):
    _, _, imported = made("ppo-continuous")
    lay_out(ModelFolder.find(imported, "best"), tmp_path / "out", None)
    deliver(tmp_path / "out", str(tmp_path / "model.tgz"))
    found = fetched(str(tmp_path / "model.tgz"), "best", tmp_path / "scratch")
    assert (found.name, found.metadata.continuous) == ("7_Step-2100.ckpt", True)
    assert pretrained.weights_digest(found) == pretrained.weights_digest(ModelFolder.find(imported, "best"))


def test_metadata_of_another_model_are_refused(made, tmp_path):
    original, _, _ = made("ppo")
    for path in original.iterdir():
        os.link(path, tmp_path / path.name)
    text = (tmp_path / "model_metadata.json").read_text()
    (tmp_path / "model_metadata.json").unlink()
    (tmp_path / "model_metadata.json").write_text(text.replace("FRONT_FACING_CAMERA", "LEFT_CAMERA"))
    with pytest.raises(UserError, match=r"LEFT_CAMERA/Conv2d_0/kernel is missing; the metadata says clipped_ppo"):
        make(ModelFolder.find(tmp_path, "last"), "x", "last", tmp_path / "imported")
    space = json.loads(text)
    space["action_space"] = space["action_space"][:3]
    (tmp_path / "model_metadata.json").write_text(json.dumps(space))
    with pytest.raises(UserError, match=r"ppo_head_0/policy_fc/kernel is \[512, 5\], this run's agent has \[512, 3\]"):
        make(ModelFolder.find(tmp_path, "last"), "x", "last", tmp_path / "imported")


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("model/agent.pkl", b"x", "is a pickle"),
        ("model/notes", b"\x80\x04\x95\x00", "is a pickle"),
        ("model/frames.npy", b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False}", "is a pickle"),
        ("more.zip", b"PK\x03\x04", r"an archive \(zip\) within"),
        ("model/weights", b"\x1f\x8b\x08", r"an archive \(gzip\) within"),
        ("readme", b"text", "no whole checkpoint"),
    ],
)
@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_what_does_not_belong_into_an_archive_is_named(tmp_path, name, data, said, kind):
    archive = tmp_path / f"a.{kind}"
    (tmp_path / "file").write_bytes(data)
    if kind == "zip":
        with zipfile.ZipFile(archive, "w") as opened:
            opened.write(tmp_path / "file", name)
    else:
        with tarfile.open(archive, "w:gz") as opened:
            opened.add(tmp_path / "file", name)
    with pytest.raises(UserError, match=said) as caught:
        fetched(str(archive), "best", tmp_path / "scratch")
    assert caught.value.remedy
