import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuberacer.coach import hyperparameter_table
from kuberacer.coach.hyperparameter_rules import DEEPRACER_KEYS, RULES
from kuberacer.coach.hyperparameters import Hyperparameters
from kuberacer.errors import UserError

DEEPRACER_FILE = {
    "batch_size": 64,
    "beta_entropy": 0.01,
    "discount_factor": 0.995,
    "e_greedy_value": 0.05,
    "epsilon_steps": 10000,
    "exploration_type": "categorical",
    "loss_type": "huber",
    "lr": 0.0003,
    "num_episodes_between_training": 20,
    "num_epochs": 10,
    "stack_size": 1,
    "term_cond_avg_score": 350.0,
    "term_cond_max_episodes": 1000,
    "sac_alpha": 0.2,
}


@pytest.mark.parametrize(
    ("algorithm", "key", "value", "named"),
    [
        ("clipped_ppo", "batch_size", 16, "32 to 512"),
        ("clipped_ppo", "batch_size", "64.5", "32 to 512"),
        ("clipped_ppo", "lr", "0.01", "1e-08 to 0.001"),
        ("clipped_ppo", "lr", "fast", "1e-08 to 0.001"),
        ("clipped_ppo", "lr", float("nan"), "1e-08 to 0.001"),
        ("clipped_ppo", "lr", None, "1e-08 to 0.001"),
        ("clipped_ppo", "num_epochs", True, "1 to 10"),
        ("clipped_ppo", "num_epochs", 11, "1 to 10"),
        ("clipped_ppo", "discount_factor", 1.01, "0 to 1"),
        ("clipped_ppo", "loss_type", "l1", "mean squared error, huber"),
        ("clipped_ppo", "num_episodes_between_training", 101, "1 to 100"),
        ("dqn", "exploration_type", "categorical", "e-greedy"),
        ("dqn", "gae_lambda", 0.9, "0 to 1"),
        ("dqn", "beta_entropy", 0.01, "0 to 1"),
        ("clipped_ppo", "sac_alpha", 0.2, "0.0001 to 1"),
        ("clipped_ppo", "learning_rate", 3e-4, "lr"),
        ("sac", "num_epochs", 3, "1 to 10"),
        ("clipped_ppo", "batch_sise", 64, "did you mean batch_size"),
    ],
)
def test_a_fault_names_key_and_range(algorithm, key, value, named):
    with pytest.raises(UserError) as caught:
        Hyperparameters.parse(json.dumps({key: value}), algorithm)
    assert key in caught.value.cause
    assert named in str(caught.value)
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize("algorithm", RULES)
def test_blank_gives_defaults_that_keep_their_own_rules(algorithm):
    default = Hyperparameters.parse("", algorithm)
    again = Hyperparameters.parse(default.to_json(), algorithm)
    assert again.values == default.values
    assert default.given == frozenset()


def test_values_may_be_strings():
    hyper = Hyperparameters.parse('{"batch_size": "64", "lr": "1e-4", "loss_type": "Huber"}', "clipped_ppo")
    assert (hyper["batch_size"], hyper["lr"], hyper["loss_type"]) == (64, 1e-4, "huber")
    assert hyper.given == {"batch_size", "lr", "loss_type"}


def test_a_whole_deepracer_file_works_unchanged():
    assert DEEPRACER_FILE.keys() == DEEPRACER_KEYS
    hyper = Hyperparameters.parse(json.dumps(DEEPRACER_FILE), "clipped_ppo")
    assert "sac_alpha" not in hyper.values
    assert hyper["num_episodes_between_training"] == 20


def test_a_whole_deepracer_file_is_still_checked():
    with pytest.raises(UserError, match="sac_alpha"):
        Hyperparameters.parse(json.dumps({**DEEPRACER_FILE, "sac_alpha": -1}), "clipped_ppo")


@pytest.mark.parametrize("algorithm", RULES)
@given(data=st.data())
def test_every_value_in_range_is_taken_and_beyond_it_refused(algorithm, data):
    key = data.draw(st.sampled_from(sorted(key for key, rule in RULES[algorithm].items() if not rule.choices)))
    rule = RULES[algorithm][key]
    numbers = st.integers(-2 * 10**9, 2 * 10**9) if rule.kind is int else st.floats()
    inside = st.integers(int(rule.low), int(rule.high)) if rule.kind is int else st.floats(rule.low, rule.high)
    value = data.draw(numbers | inside)
    try:
        hyper = Hyperparameters.parse(json.dumps({key: value}), algorithm)
    except UserError:
        assert not rule.low <= value <= rule.high
    else:
        assert hyper[key] == value
        assert type(hyper[key]) is rule.kind


def test_no_tensorflow_is_imported():
    code = (
        "import sys, kuberacer.coach.metadata, kuberacer.coach.hyperparameters;"
        "sys.exit(int(bool({'tensorflow', 'rl_coach'} & sys.modules.keys())))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_reference_page_is_up_to_date():
    page = Path(__file__).parents[3] / "docs" / "hyperparameters.md"
    assert page.read_text(encoding="utf-8") == hyperparameter_table.page(), "run the command that the page names"
