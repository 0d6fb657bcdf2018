"""Planning a sweep: every setting with every seed, and an error that names what is wrong before anything is trained."""

import json

import pytest

from kuberacer.errors import UserError
from kuberacer.stages.plan_sweep import MOST_TRIALS, plan


def test_every_setting_meets_every_seed() -> None:
    trials = plan("night", "[0, 3]", '{"default": {}, "slow": {"lr": 0.0001}}', "clipped_ppo")
    assert [trial["name"] for trial in trials] == ["default-0", "default-3", "slow-0", "slow-3"]
    assert trials[3] == {
        "name": "slow-3",
        "setting": "slow",
        "seed": 3,
        "hyperparameters": '{"lr": 0.0001}',
        "run": "night/trials/slow-3",
    }
    assert len({trial["run"] for trial in trials}) == 4


@pytest.mark.parametrize(
    ("seeds", "settings", "said"),
    [
        ("0, 1", "{}", "seeds is not JSON"),
        ("[]", '{"a": {}}', "seeds is []"),
        ("[true]", '{"a": {}}', "seeds is [true]"),
        ("[-1]", '{"a": {}}', "seeds is [-1]"),
        ("[1, 1]", '{"a": {}}', "seeds names one twice"),
        ("[0]", "{}", "settings is {}"),
        ("[0]", '[{"lr": 1}]', "settings is"),
        ("[0]", '{"a b": {}}', "'a b' is not allowed"),
        ("[0]", '{"../up": {}}', "'../up' is not allowed"),
        ("[0]", '{"a": 3}', "settings: a is 3"),
        ("[0]", '{"fast": {"lr": 50}}', "setting fast: "),
        ("[0]", '{"fast": {"learning_rate": 0.1}}', "setting fast: "),
        (json.dumps(list(range(MOST_TRIALS + 1))), '{"a": {}}', f"are {MOST_TRIALS + 1} trials"),
    ],
)
def test_what_is_wrong_is_named(seeds: str, settings: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        plan("night", seeds, settings, "clipped_ppo")
    assert said in caught.value.cause
    assert caught.value.remedy
