"""A preset that trains on an environment of its own choice, and the hyperparameters that go before what it says."""

from pathlib import Path

import pytest

from kuberacer.coach.environment_preset import SETTINGS, EnvironmentPreset, read_settings
from kuberacer.errors import UserError
from kuberacer.stages.environment_arguments import PRESETS, open_preset, preset_source

ALL = sorted(PRESETS.glob("*.py"))
PPO = (PRESETS / "mountain_car_continuous_clipped_ppo.py").read_text(encoding="utf-8")
DQN = (PRESETS / "mountain_car_dqn.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_an_example_names_its_environment_and_its_end(path: Path):
    preset = EnvironmentPreset.load(path.read_text(encoding="utf-8"), {})
    assert preset.level
    assert path.stem.endswith(preset.algorithm)
    assert preset.improve_steps > 0
    assert max(preset.between) >= 1


def test_the_hyperparameters_of_a_launcher_land_where_rl_coach_keeps_them():
    """Texts, too, as a launcher hands them on."""
    settings = read_settings(
        '{"RLCOACH_PRESET": "preset-mountain-car-continuous-clipped-ppo", "discount": "0.9", "gae_lambda": 0.8, '
        '"evaluation_episodes": 4, "improve_steps": "5000", "training_freq_env_steps": 700, '
        '"training_learning_rate": 0.02, "training_batch_size": 48, "training_epochs": 3, "save_model": 1, '
        '"evaluate_steps": 20000}'
    )
    preset = EnvironmentPreset.load(PPO, settings)
    parameters = preset.manager.agent_params
    algorithm, network = parameters.algorithm, parameters.network_wrappers["main"]
    assert (algorithm.discount, algorithm.gae_lambda, algorithm.optimization_epochs) == (0.9, 0.8, 3)
    assert algorithm.num_consecutive_playing_steps.num_steps == 700
    assert (network.learning_rate, network.batch_size) == (0.02, 48)
    assert (preset.improve_steps, preset.evaluation_episodes) == (5000, 4)
    hyper = preset.hyperparameters()
    assert (hyper["lr"], hyper["batch_size"], hyper["discount_factor"]) == (0.02, 48, 0.9)


def test_what_the_agent_does_not_have_is_an_error():
    with pytest.raises(UserError, match="dqn has no gae_lambda"):
        EnvironmentPreset.load(DQN, {"gae_lambda": 0.9})


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"discont": 0.9}', "'discont' is not known"),
        ('{"discount": 1.5}', "discount.*1.5"),
        ('{"training_batch_size": 0}', "training_batch_size.*0"),
        ('{"training_epochs": 2.5}', "training_epochs.*2.5"),
        ('{"improve_steps": "many"}', "improve_steps.*many"),
        ("[1]", "hyperparameters"),
        ('{"discount": ', "hyperparameters"),
    ],
)
def test_a_wrong_hyperparameter_is_named(text, fault):
    with pytest.raises(UserError, match=fault):
        EnvironmentPreset.load(DQN, read_settings(text))


def test_every_range_is_kept_at_both_ends():
    for key, rule in SETTINGS.items():
        for value in (rule.low, rule.high):
            assert read_settings(f'{{"{key}": {value!r}}}')[key] == value
        with pytest.raises(UserError, match=key):
            read_settings(f'{{"{key}": {rule.high * 2 + 1!r}}}')


@pytest.mark.parametrize("name", ["preset-mountain-car-dqn", "mountain_car_dqn", "mountain_car_dqn.py"])
def test_a_preset_is_found_by_the_names_that_launchers_use(name):
    assert preset_source("", {"RLCOACH_PRESET": name}) == DQN


@pytest.mark.parametrize("name", ["preset-no-such", "../race", "/etc/passwd", ""])
def test_other_names_are_refused_with_the_list(name):
    with pytest.raises(UserError, match="RLCOACH_PRESET is") as caught:
        preset_source(PPO, {"RLCOACH_PRESET": name})
    assert "mountain_car_dqn" in caught.value.remedy


def test_without_a_preset_there_is_nothing_to_train():
    with pytest.raises(UserError, match="no preset is given"):
        open_preset("", "")
