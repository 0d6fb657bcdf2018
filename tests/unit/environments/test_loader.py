"""From a name to an environment, and whose line a fault in one is."""

import gymnasium
import numpy as np
import pytest

from kuberacer.environments.loader import Environments
from kuberacer.environments.mountain_car import PATIENCE
from kuberacer.errors import UserError

OWN = """
import gymnasium, numpy as np

class Own(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self):
        {line}
"""


@pytest.mark.parametrize(
    ("name", "actions"),
    [
        ("mountain_car", gymnasium.spaces.Discrete),
        ("mountain_car_continuous", gymnasium.spaces.Box),
        ("CartPole-v1", gymnasium.spaces.Discrete),
        ("kuberacer.environments.mountain_car:PatientMountainCar", gymnasium.spaces.Discrete),
    ],
)
def test_a_name_makes_its_environment(name, actions):
    env = Environments(name).make()
    assert isinstance(env.action_space, actions)
    env.close()


def test_own_source_is_the_module_of_its_name():
    model = Environments("own_environment:Own", OWN.format(line="pass")).model("dqn")
    assert (model.environment, model.actions) == ("own_environment:Own", 2)


@pytest.mark.parametrize(
    ("name", "line", "fault"),
    [
        ("own_environment:Own", "1 / 0", r"own_environment:Own, line 9: ZeroDivisionError"),
        ("own_environment:Other", "pass", r"own_environment has no Other"),
        ("own_environment:np", "pass", r"own_environment:np is module"),
        ("own_environment:Own", "pas s", r"own_environment.py.*SyntaxError|line 9"),
        ("no_such_module:Env", "pass", r"no_such_module:Env: No module named"),
        ("NoSuch-v0", "pass", r"NoSuch-v0: NameNotFound"),
    ],
)
def test_a_fault_says_where_it_is(name, line, fault):
    with pytest.raises(UserError, match=fault):
        Environments(name, OWN.format(line=line)).make()


def test_a_class_that_is_no_environment_is_named():
    source = OWN.format(line="pass") + "\n\nclass Plain:\n    pass\n"
    with pytest.raises(UserError, match="own_environment:Plain makes Plain"):
        Environments("own_environment:Plain", source).make()


@pytest.mark.parametrize("name", ["mountain_car", "mountain_car_continuous"])
def test_mountain_car_is_patient_and_drawn(name):
    env = Environments(name).make(drawn=True)
    env.reset(seed=3)
    first = env.render()
    assert first.shape == (200, 300, 3)
    nothing = 1 if name == "mountain_car" else np.zeros(1, np.float32)
    steps, over = 0, False
    while not over:
        _, _, terminated, truncated, _ = env.step(nothing)
        steps, over = steps + 1, terminated or truncated
    assert (steps, terminated, truncated) == (PATIENCE, False, True)
    assert (env.render() != first).any()
    env.close()
