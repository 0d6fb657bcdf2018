"""What a policy sees and does, from Gymnasium's spaces, through environment.json, to the environment's own actions."""

import json

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st

from kuberacer.coach.environment_model import EnvironmentModel
from kuberacer.errors import UserError

BOUND = st.floats(-1e6, 1e6, width=32)
BOXES = st.lists(st.tuples(BOUND, BOUND).map(sorted), min_size=1, max_size=5)


def model_of(seen: spaces.Space, done: spaces.Space, algorithm: str = "dqn") -> EnvironmentModel:
    return EnvironmentModel.of("own:Env", algorithm, seen, done)


def box(pairs: list[list[float]]) -> spaces.Box:
    low, high = np.array(pairs, np.float32).T
    return spaces.Box(low, high, dtype=np.float32)


@given(BOXES, st.integers(1, 30))
def test_it_is_read_as_it_was_written(pairs, actions):
    model = model_of(box(pairs), spaces.Discrete(actions))
    assert EnvironmentModel.parse(model.to_json()) == model
    assert model.inputs(1)[0].shape == (len(pairs),)
    assert model.actions == actions


@given(BOXES, st.data())
def test_bounded_values_come_to_the_network_in_minus_one_to_one(pairs, data):
    space = box(pairs)
    model = model_of(space, spaces.Discrete(2))
    shares = data.draw(st.lists(st.floats(0, 1), min_size=len(pairs), max_size=len(pairs)))
    values = np.clip(space.low + np.array(shares, np.float32) * (space.high - space.low), space.low, space.high)
    seen = model.normalised(values[None])
    width, size = space.high - space.low, np.maximum(np.abs(space.low), np.abs(space.high))
    wide, narrow = width > 2e-5 * size + 2e-30, width < np.maximum(0.9e-5 * size, 0.9e-30)
    assert seen.dtype == np.float32
    assert (np.abs(seen[0][wide]) <= 1 + 1e-2).all()
    assert (seen[0][narrow] == values[narrow]).all()


@pytest.mark.parametrize("pair", [[0.0, 1.4e-45], [1e6, 1e6 + 0.0625], [0.5, 0.5]])
def test_bounds_that_float32_hardly_tells_apart_leave_values_as_they_are(pair):
    space = box([pair])
    model = model_of(space, spaces.Discrete(2))
    for value in (space.low, space.high):
        assert (model.normalised(value[None]) == value).all()


def test_values_without_bounds_stay_as_they_are():
    model = model_of(spaces.Box(-np.inf, np.inf, (3,)), spaces.Discrete(2))
    assert (model.normalised(np.array([[1.5, -2e5, 0]])) == np.array([[1.5, -2e5, 0]], np.float32)).all()


@given(BOXES, st.data())
def test_the_agents_axes_reach_the_whole_of_the_actions_and_no_farther(pairs, data):
    space = box(pairs)
    model = model_of(spaces.Box(-1, 1, (2,)), space, "sac")
    axes = np.array(data.draw(st.lists(st.floats(-3, 3), min_size=len(pairs), max_size=len(pairs))), np.float32)
    found = model.decode(np.stack([axes, np.full_like(axes, -1), np.full_like(axes, 1)]))
    assert all(space.contains(action) for action in found)
    assert found[1:] == pytest.approx(np.stack([space.low, space.high]), abs=float(1e-6 * np.abs(pairs).max()))


@pytest.mark.parametrize(
    ("seen", "done", "fault"),
    [
        (spaces.Discrete(3), spaces.Discrete(2), "its observations are Discrete"),
        (spaces.Box(-1, 1, (4, 4)), spaces.Discrete(2), "its observations are Box"),
        (spaces.Box(0, 1, (8, 8, 3)), spaces.Discrete(2), "its frames are float32"),
        (spaces.Box(-1, 1, (2,)), spaces.Box(-np.inf, np.inf, (1,)), "its actions are Box"),
        (spaces.Box(-1, 1, (2,)), spaces.Discrete(3, start=1), "its actions are Discrete"),
        (spaces.Box(-1, 1, (2,)), spaces.MultiDiscrete([2, 3]), "its actions are MultiDiscrete"),
    ],
)
def test_spaces_that_no_learner_takes_are_named(seen, done, fault):
    with pytest.raises(UserError, match=fault):
        model_of(seen, done)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"algorithm": 3}, "algorithm: "),
        ({"observation": {"shape": [2], "dtype": "float64", "low": [0, 0], "high": [1, 1]}}, "observation.dtype: "),
        ({"more": 1}, "more: "),
        (
            {"observation": {"shape": [100000, 1000], "dtype": "float32", "low": [0], "high": [1]}},
            "an observation of",
        ),
    ],
)
def test_a_spoilt_file_is_named(change, fault):
    good = json.loads(model_of(spaces.Box(-1, 1, (2,)), spaces.Discrete(2)).to_json())
    with pytest.raises(UserError, match=f"environment.json: {fault}"):
        EnvironmentModel.parse(json.dumps(good | change))
