"""A training's state as numbers: whole again, and never unpickled."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from hypothesis.extra import numpy as arrays

from kuberacer.errors import UserError
from kuberacer.rllib.state import ARRAYS, LAYOUT, read_state, write_state

LEAVES = some.one_of(
    some.none(), some.booleans(), some.integers(-(2**53), 2**53), some.text(max_size=5),
    some.floats(allow_nan=False), arrays.arrays(np.float32, arrays.array_shapes(max_dims=2, max_side=3)),
)  # fmt: skip
STATES = some.dictionaries(
    some.one_of(some.text(max_size=5), some.integers(0, 9)),
    some.recursive(
        LEAVES,
        lambda inner: some.one_of(
            some.lists(inner, max_size=3),
            some.tuples(inner, inner),
            some.dictionaries(some.one_of(some.text(max_size=5), some.integers(0, 9)), inner, max_size=3),
        ),
        max_leaves=8,
    ),
    max_size=4,
)


def equal(one, other) -> bool:
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and np.array_equal(one, other, equal_nan=True)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(equal, one, other))
    return type(one) is type(other) and one == other


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(state=STATES)
def test_a_state_comes_back_whole(tmp_path: Path, state):
    write_state(tmp_path, state)
    assert equal(state, read_state(tmp_path))


def test_tensors_come_back_as_arrays(tmp_path):
    write_state(tmp_path, {"step": torch.tensor(3.0), "mean": torch.ones(2, requires_grad=True)})
    state = read_state(tmp_path)
    assert (float(state["step"]), state["mean"].tolist()) == (3.0, [1.0, 1.0])


def test_what_is_no_state_is_refused(tmp_path):
    with pytest.raises(UserError, match="no state of a training"):
        read_state(tmp_path)
    write_state(tmp_path, {"a": np.ones(3)})
    np.savez(tmp_path / ARRAYS, a0=np.array([{}], dtype=object))  # a pickle
    with pytest.raises(UserError, match="no state of a training"):
        read_state(tmp_path)
    for layout in ("[]", "3", '{"array": "a9"}', '{"code": []}', '{"pairs": [[[], 1]]}', "{"):
        (tmp_path / LAYOUT).write_text(layout)
        with pytest.raises(UserError, match="no state of a training"):
            read_state(tmp_path)


def test_code_is_no_state(tmp_path):
    with pytest.raises(TypeError, match="a function in a training's state"):
        write_state(tmp_path, {"a": lambda: 0})
    assert not (tmp_path / LAYOUT).exists() or json.loads((tmp_path / LAYOUT).read_text())
