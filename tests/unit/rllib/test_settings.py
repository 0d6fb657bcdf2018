"""RLlib's settings: what is understood, what is refused."""

import dataclasses
import json

import pytest
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig

from kuberacer.errors import UserError
from kuberacer.rllib.settings import SETTINGS, read_settings, with_defaults

# The walk-through's, by the names of its time.
SEED = {
    "gamma": 0.995, "kl_coeff": 1.0, "num_sgd_iter": 20, "lr": 0.0001, "sgd_minibatch_size": 100,
    "train_batch_size": 500, "ignore_worker_failures": True,
}  # fmt: skip


def test_the_walk_throughs_parameters_are_the_defaults():
    defaults = with_defaults({}, continuous=False)
    assert with_defaults(read_settings(json.dumps(SEED)), continuous=False) == defaults
    assert defaults["num_epochs"] == 20
    assert with_defaults({}, continuous=True)["free_log_std"] is True


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_is_one_of_rllibs(name):
    if SETTINGS[name].part == "model":
        assert name in {field.name for field in dataclasses.fields(DefaultModelConfig)}
    else:
        assert hasattr(PPOConfig(), name)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"gama": 0.9}, "'gama' is not known"),
        ({"gama": 0.9}, "did you mean gamma?"),
        ({"gamma": 1.5}, "gamma is 1.5"),
        ({"gamma": 1.5}, "a number from 0 to 1"),
        ({"num_epochs": 2.5}, "a whole number"),
        ({"lr": "fast"}, "lr is 'fast'"),
        ({"lr": [[0, 0.1]]}, "lr is [[0, 0.1]]"),
        ({"gamma": True}, "gamma is True"),
        ({"use_gae": 3}, "true or false"),
        ({"num_sgd_iter": 5, "num_epochs": 5}, "num_epochs is given twice"),
        ({"model": {"fcnet_hiddens": [0]}}, "a list of whole numbers"),
        ({"model": {"fcnet_activation": "exec"}}, "one of tanh, relu"),
        ({"model": 3}, "model is 3"),
        ({"conv_filters": [[16, 8]]}, "[channels, kernel, stride]"),
        ({"callbacks_class": "os.system"}, "is not known"),
        ({"timesteps_total": 100}, "give STEPS"),
    ],
)
def test_what_is_wrong_is_named(given, told):
    with pytest.raises(UserError) as error:
        read_settings(json.dumps(given))
    assert told in str(error.value)


def test_what_does_not_fit_is_refused():
    with pytest.raises(UserError, match="free_log_std is for Box actions"):
        with_defaults({"free_log_std": True}, continuous=False)
    with pytest.raises(UserError, match="minibatch_size 600 is more than"):
        with_defaults({"minibatch_size": 600}, continuous=False)


def test_all_kinds_are_read():
    given = {
        "lambda": 0.95, "rollout_fragment_length": "auto", "grad_clip": 5, "batch_mode": "complete_episodes",
        "conv_filters": [[16, [8, 8], 4], [32, 4, 2]], "fcnet_hiddens": [64], "restart_failed_env_runners": "false",
    }  # fmt: skip
    found = read_settings(json.dumps(given))
    assert found["lambda_"] == 0.95
    assert found["restart_failed_env_runners"] is False
    assert found["conv_filters"] == [[16, [8, 8], 4], [32, 4, 2]]
