"""RLlib's PPO in this process and one that plays: continuous actions, its state, environments that always fail."""

from pathlib import Path

import numpy as np
import pytest

from kuberacer.errors import UserError
from kuberacer.rllib import algorithm as room
from kuberacer.rllib.algorithm import MODULE, Algorithm, ray_started
from kuberacer.rllib.freeze import GRAPH, OnnxPolicy, trained_policy, write_onnx
from kuberacer.rllib.playing import Playing
from kuberacer.rllib.state import read_state, write_state
from kuberacer.stages.freeze_environment import drawn
from tests.unit.rllib.players import write_player

QUICK = {"num_epochs": 1, "num_env_runners": 0, "fcnet_hiddens": [16], "train_batch_size_per_learner": 200}


@pytest.fixture(scope="module", autouse=True)
def ray():
    with ray_started(1):
        yield


def playing(folder: Path, environment: str = "", player: str = "") -> Playing:
    return Playing(environment, "", player, "", str(folder), "", timeout_s=60)


def test_continuous_actions_are_trained_kept_and_frozen(tmp_path):
    played = playing(tmp_path, "mountain_car_continuous")
    model = played.model()
    trained = Algorithm(played, model, QUICK, seed=1)
    first = trained.train()
    assert first.steps == 200
    assert np.isfinite(first.learning["total_loss"])
    write_state(tmp_path, trained.state())
    kept = read_state(tmp_path)
    assert kept["kl_coeff"] == trained.state()["kl_coeff"]
    changed = {**kept, "kl_coeff": {MODULE: 0.125}}
    trained.train()
    trained.restore(changed)
    again = trained.state()
    assert again["kl_coeff"] == {MODULE: 0.125}
    for name, value in kept["rl_module"][MODULE].items():
        np.testing.assert_array_equal(value, again["rl_module"][MODULE][name])
    with pytest.raises(UserError, match="the checkpoint does not fit"):
        trained.restore({**kept, "rl_module": {MODULE: {"nothing": np.ones(1)}}})
    trained.close()

    policy = trained_policy(model, QUICK, kept["rl_module"][MODULE])
    write_onnx(policy, model, tmp_path / GRAPH)
    seen = drawn(model, 5)
    np.testing.assert_allclose(OnnxPolicy(tmp_path / GRAPH, model).outputs(seen), policy.trained(seen), atol=1e-5)


def test_a_player_that_always_dies_ends_the_training(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "MOST_FAULTS", 1)
    player = write_player(tmp_path / "Basic.x86_64", "--fault", "dies", "--at", "30")
    played = playing(tmp_path, player=str(player))
    trained = Algorithm(played, played.model(), {**QUICK, "num_env_runners": 1}, seed=0)
    with pytest.raises(UserError) as told:
        trained.train()
    trained.close()
    assert (
        "1 times without a step in between: the player Basic.x86_64 ended by itself, with status 3" in told.value.cause
    )
    assert "see the log" in told.value.remedy
