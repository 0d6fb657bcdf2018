import json
import subprocess
import sys

import pytest

from kuberacer.coach.build import build_agent
from kuberacer.coach.hyperparameters import Hyperparameters
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.coach.user_preset import Preset
from kuberacer.errors import UserError
from kuberacer.stages import freeze_graph
from tests.unit.coach.presets import small_preset


def checkpoint_of(folder, algorithm, hyper=None):
    metadata = ModelMetadata.parse(None, algorithm)
    preset = Preset.load(small_preset(algorithm))
    agent = build_agent(metadata, Hyperparameters.parse(hyper, algorithm), cars=1, preset=preset, threads=1)
    agent.save(folder)
    agent.close()
    (folder / "model_metadata.json").write_text(metadata.to_json())


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "kuberacer.stages.freeze_graph", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_stage_freezes_and_checks(tmp_path):
    checkpoint_of(tmp_path / "checkpoint", "clipped_ppo", '{"stack_size": 2}')
    checks = tmp_path / "checks" / "checks.json"
    done = run("--checkpoint", tmp_path / "checkpoint", "--model", tmp_path / "model", "--checks", checks)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(checks.read_text())
    assert found["max_difference"].keys() == {"tensorflow", "openvino", "onnxruntime"}
    assert all(difference < 1e-5 for difference in found["max_difference"].values())
    assert found["output"] == "main_level/agent/main/online/network_1/ppo_head_0/policy"
    assert list(found["inputs"].values()) == [[1, 120, 160, 2]]
    names = {"model.pb", "model_metadata.json", "model.onnx", "policy.json"}
    assert {path.name for path in (tmp_path / "model").iterdir()} == names
    policy = json.loads((tmp_path / "model" / "policy.json").read_text())
    seen = {"name": "FRONT_FACING_CAMERA", "shape": [120, 160, 2], "dtype": "uint8", "low": 0, "high": 255, "frames": 2}
    assert policy["observation"] == seen
    assert policy["action"]["values"][0] == {"steering_angle": -30.0, "speed": 1.0}
    examples = [example["observation"]["image"] for example in policy["examples"]]
    assert [len(frames) for frames in examples] == [2, 2, 2]
    assert len({frames[0] for frames in examples}) == 3


def test_a_folder_without_a_checkpoint_is_one_line_of_cause_and_one_of_remedy(tmp_path):
    done = run("--checkpoint", tmp_path, "--model", tmp_path / "model", "--checks", tmp_path / "checks.json")
    assert done.returncode == 1
    assert "model_metadata.json is missing" in done.stderr
    assert len(done.stderr.splitlines()) == 2


def test_help_has_an_example():
    done = run("--help")
    assert done.returncode == 0
    assert "example:" in done.stdout


@pytest.mark.parametrize("difference", [2e-4, float("nan"), float("inf")])
def test_a_runtime_that_differs_fails_the_stage(difference):
    checks = {"tolerance": 1e-4, "max_difference": {"tensorflow": 0.0, "openvino": difference}}
    with pytest.raises(UserError, match="openvino differs"):
        freeze_graph.judge(checks)
