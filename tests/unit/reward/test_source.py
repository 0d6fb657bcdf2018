"""What is known about a reward function without running it."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuberacer.errors import UserError
from kuberacer.reward.source import RewardSource

REWARDS = Path(__file__).parents[3] / "rewards"


def source(body: str, before: str = "") -> RewardSource:
    return RewardSource.check(f"{before}\ndef reward_function(params):\n    {body}\n")


@pytest.mark.parametrize(
    ("body", "keys"),
    [
        ("return params['speed']", ("speed",)),
        ("return params['speed'] + params.get('x') + params.get('y', 0.0)", ("speed", "x", "y")),
        ("return 1.0", ()),
        ("return helper(params)", ("steps",)),
        ("return float(len(params))", None),
        ("p = params\n    return p['x']", None),
        ("key = 'x'\n    return params[key]", None),
        ("return eval(\"params['x']\")", None),
        ("return (lambda: params['x'])()", ("x",)),
        ("return (lambda params: params['x'])({'x': 1.0})", None),
        ("return params['x'] if 'x' in params else 0.0", None),
        ("return other(params)", None),
        ("return helper(other)", ()),
        ("params['speed'] += 1\n    return params['x']", ("speed", "x")),
    ],
)
def test_keys(body, keys):
    before = "def helper(p):\n    return p['steps']\n\n\nother = helper\n"
    assert source(body, before).keys == keys


@pytest.mark.parametrize(
    ("before", "body", "stateless"),
    [
        ("LIMIT = 3 * math.pi\nimport math\nPAIR = (1, 2)", "return LIMIT", True),
        ("def f(x, y=2):\n    return x * y", "return f(1)", True),
        ("memory = []", "memory.append(1); return 1", False),
        ("count = 0", "global count; count += 1; return count", False),
        ("class Reward:\n    seen = 0", "Reward.seen += 1; return 1", False),
        ("", "reward_function.last = 1; return 1", False),
        ("def f(x, seen=[]):\n    return 1", "return f(1)", False),
        ("import functools\n@functools.cache\ndef f(x):\n    return 1", "return f(1)", False),
        ("x = iter((1, 2))", "return next(x)", False),
        ("for i in range(3):\n    pass", "return i", False),
        ('if __name__ == "__main__":\n    memory = []', "return 1", True),
    ],
)
def test_state(before, body, stateless):
    assert source(body, before).stateless is stateless


def test_main_block_may_import_anything():
    assert source("return 1.0", "if __name__ == '__main__':\n    import sys\n")


def test_assigned_functions_and_default_arguments_are_fine():
    RewardSource.check("class R:\n    def go(self, params):\n        return 1.0\n\nreward_function = R().go\n")
    RewardSource.check("def reward_function(params, scale=2.0):\n    return scale\n")
    RewardSource.check("def reward_function(*args):\n    return 1.0\n")


def test_written_keys_are_no_unknown_keys():
    assert source("params['mine'] = 2.0\n    return params['mine']")


def test_digest_is_of_the_text():
    assert source("return 1.0").digest == source("return 1.0").digest != source("return 2.0").digest


def test_examples_pass():
    for path in REWARDS.glob("*.py"):
        checked = RewardSource.check(path.read_text(), path.name)
        assert checked.stateless == (path.stem != "fast_lap")  # it remembers the progress before
        assert checked.keys


@given(st.text(max_size=200))
def test_any_text_is_a_source_or_a_user_error(text):
    error = None
    try:
        assert "reward_function" in RewardSource.check(text, "mine.py").text
    except UserError as found:
        error = found
    assert error is None or re.fullmatch(r"mine\.py:\d+: [^\n]+", error.cause), error.cause


@given(
    st.recursive(st.sampled_from(["params['x']", "1", "params['speed']"]), lambda e: st.builds("({}+{})".format, e, e))
)
def test_any_expression_finds_its_keys(expression):
    found = RewardSource.check(f"def reward_function(params):\n    return {expression}").keys
    assert set(found) == {key for key in ("x", "speed") if f"'{key}'" in expression}


def test_deep_nesting_is_a_user_error():
    with pytest.raises(UserError, match=r"mine.py:2: "):
        RewardSource.check("def reward_function(params):\n    return " + "(" * 5000 + ")" * 5000, "mine.py")
