"""The batched runner: the same numbers whichever way a reward runs, and nothing shared between cars."""

from pathlib import Path

import numpy as np
import pytest

from kuberacer.errors import UserError
from kuberacer.reward.runner import RewardRunner
from kuberacer.reward.samples import Lane, drive_lap, sample_states
from kuberacer.reward.source import RewardSource
from kuberacer.sim.params import ALL_KEYS, ARRAY_KEYS, ParamArrays, params_dict
from kuberacer.sim.track import load_track

TRACK = load_track("hairpin")
CARS = 16
REWARDS = Path(__file__).parents[3] / "rewards"
AMONG = ("avoid_objects", "head_to_bot")  # examples for races with objects
REMEMBER = ("fast_lap",)


def _stem(path: Path) -> str:
    return path.stem


def runner(text: str, cars: int = CARS, **arguments) -> RewardRunner:
    return RewardRunner(RewardSource.check(text), TRACK, cars, **arguments)


def states(cars: int = CARS) -> ParamArrays:
    return next(sample_states(TRACK, cars))


def direct(text: str, values: ParamArrays) -> np.ndarray:
    """The reference: one call a car with the whole dictionary."""
    space: dict = {}
    exec(text, space)
    return np.array([space["reward_function"](params_dict(values, car)) for car in range(values.cars)], float)


@pytest.mark.parametrize("path", [p for p in sorted(REWARDS.glob("*.py")) if p.stem not in REMEMBER], ids=_stem)
def test_examples_equal_direct_calls(path):
    text = path.read_text()
    run = runner(text)
    compiled = run.compile(sample_states(TRACK, CARS))
    assert compiled == (path.stem not in AMONG)  # there are no objects here
    assert run.path == ("compiled" if compiled else "plain")
    for values in sample_states(TRACK, CARS):
        expected = direct(text, values)
        assert np.array_equal(run.plain(values), expected)
        np.testing.assert_allclose(run(values), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", AMONG)
def test_examples_are_compiled_among_objects(name):
    text = (REWARDS / f"{name}.py").read_text()
    run = runner(text, objects=6)
    assert run.compile(sample_states(TRACK, CARS, 6)), run.why_plain
    for values in sample_states(TRACK, CARS, 6):
        np.testing.assert_allclose(run(values), direct(text, values), rtol=1e-12, atol=1e-12)


AMONG_OBJECTS = {
    "an object's place": "x, y = params['objects_location'][params['closest_objects'][1]]\n    return x - y",
    "the nearest": "return min(math.hypot(x - params['x'], y) for x, y in params['objects_location'])",
    "a loop": "t = 0.0\n    for x, y in params['objects_location']:\n        t += x * y\n    return t",
    "a loop over numbers": "t = 0.0\n    for i in range(len(params['objects_speed'])):\n"
    "        t += params['objects_speed'][i] * params['objects_heading'][i]\n    return t",
    "the one behind": "return params['objects_distance'][params['closest_objects'][0]] - params['projection_distance']",
    "the last": "return params['objects_distance_from_center'][-1]",
    "sides": "return sum([1.0 for left in params['objects_left_of_center'] if left == params['is_left_of_center']])",
    "numpy": "return np.abs(np.array(params['objects_distance']) - params['projection_distance']).min()",
}
# Which of these numba takes, so that a change shows; the others run as plain Python.
PLAIN_AMONG_OBJECTS = {"the nearest"}


@pytest.mark.parametrize("case", AMONG_OBJECTS)
@pytest.mark.parametrize("objects", [1, 6])
def test_objects_reach_a_reward_plain_and_compiled(case, objects):
    text = f"{BEFORE}def reward_function(params):\n    {AMONG_OBJECTS[case]}\n"
    run = runner(text, objects=objects)
    assert run.compile(sample_states(TRACK, CARS, objects)) == (case not in PLAIN_AMONG_OBJECTS), run.why_plain
    for values in sample_states(TRACK, CARS, objects):
        expected = direct(text, values)
        np.testing.assert_allclose(run.plain(values), expected, rtol=1e-12)
        np.testing.assert_allclose(run(values), expected, rtol=1e-12)


def test_an_object_that_is_not_there_is_named_where_there_are_some():
    text = "def reward_function(params):\n    return params['objects_speed'][6 if params['x'] > 1e8 else 7]\n"
    run = runner(text, objects=6)
    assert not run.compile(sample_states(TRACK, CARS, 6))
    with pytest.raises(UserError, match=r"reward_function.py:2: IndexError"):
        run(next(sample_states(TRACK, CARS, 6)))


def test_more_objects_than_are_compiled_for_run_plain():
    run = runner("def reward_function(params):\n    return params['objects_speed'][0]\n", objects=30)
    assert not run.compile(sample_states(TRACK, CARS, 30))
    assert "more than 16 objects" in run.why_plain


COMPILABLE = {
    "arithmetic": "return params['x'] * 2 + params['steps'] // 3 - params['heading'] % 7",
    "get with default": "return params.get('speed', 3.0) ** 2",
    "booleans": "return 1.0 if params['is_left_of_center'] and not params['is_offtrack'] else 0.5",
    "integers and floats": "if params['steps'] > 5:\n        return 1\n    return 0.5",
    "local variables and loops": "t = 0.0\n    for i in range(10):\n        t += i * params['speed']\n    return t",
    "waypoints": "a, b = params['closest_waypoints']\n    return params['waypoints'][b][0] - params['waypoints'][a][0]",
    "constants of the track": "return params['track_length'] / params['track_width']",
    "helpers": "return double(params['speed'])",
    "math": "return math.hypot(params['x'], params['y']) + math.atan2(1.0, 2.0)",
    "numpy": "return np.exp(-params['distance_from_center'])",
    "nothing read": "return 1.5",
}
BEFORE = "import math\nimport numpy as np\n\nSCALE = 2\n\n\ndef double(x):\n    return SCALE * x\n\n\n"


@pytest.mark.parametrize("case", COMPILABLE)
def test_compiled_equals_plain(case):
    text = f"{BEFORE}def reward_function(params):\n    {COMPILABLE[case]}\n"
    run = runner(text)
    assert run.compile(sample_states(TRACK, CARS)), run.why_plain
    for values in sample_states(TRACK, CARS):
        np.testing.assert_allclose(run(values), direct(text, values), rtol=1e-12)


NOT_COMPILABLE = {
    "state": (
        "import math\nseen = []\ndef reward_function(params):\n    seen.append(1)\n    return len(seen)",
        "remember",
    ),
    "random": ("import random\ndef reward_function(params):\n    return random.random()", "imports random"),
    "numpy's random": ("import numpy as np\ndef reward_function(params):\n    return np.random.rand()", "random"),
    "print": ("def reward_function(params):\n    print()\n    return 1.0", "uses print"),
    "whole params": ("def reward_function(params):\n    return len(params)", "as a whole"),
    "objects": ("def reward_function(params):\n    return len(params['objects_speed'])", "no objects"),
    "writes params": ("def reward_function(params):\n    params['x'] = 1.0\n    return 1.0", "writes into params"),
    "changes waypoints": (
        "def reward_function(params):\n    w = params['waypoints']\n    w.pop()\n    return 1.0",
        "a list",
    ),
    "lists of lists": ("def reward_function(params):\n    return {params['x']: [1, 'a']}[params['x']][0]", "numba"),
}


@pytest.mark.parametrize("case", NOT_COMPILABLE)
def test_not_compiled(case):
    text, reason = NOT_COMPILABLE[case]
    run = runner(text)
    assert not run.compile(sample_states(TRACK, CARS))
    assert reason in run.why_plain
    assert "\n" not in run.why_plain
    assert run(states()).shape == (CARS,)


def test_a_compiled_reward_that_differs_is_not_used():
    # numba's integers have 64 bits, Python's have no end.
    run = runner("def reward_function(params):\n    return float(params['steps'] * 4611686018427387904 > 0)\n")
    assert not run.compile(sample_states(TRACK, CARS))
    assert run.path == "plain"


def test_all_keys_are_there_with_the_documented_types():
    checks = "\n".join(f"    assert type(params[{key!r}]) is {kind}, {key!r}" for key, kind in TYPES.items())
    text = f"def reward_function(params):\n{checks}\n    return float(len(params))\n"
    run = runner(text, 3, objects=5)
    for _, values in drive_lap(TRACK, [Lane(0.0), Lane(-1.3), Lane(0.5, reverse=True)], 20, objects=5):
        assert np.all(run(values) == len(ALL_KEYS))


def test_objects_are_lists_of_each_cars_own():
    text = (
        "def reward_function(params):\n    params['objects_location'].clear()\n    return len(params['objects_speed'])"
    )
    values = next(sample_states(TRACK, CARS, 3))
    places = values.objects_location.copy()
    assert np.all(runner(text, objects=3)(values) == 3)
    assert np.array_equal(values.objects_location, places)
    seen = runner("def reward_function(params):\n    return params['objects_location'][0][0]", objects=3)(values)
    np.testing.assert_array_equal(seen, values.objects_location[:, 0, 0])
    assert type(params_dict(values, 0)["objects_location"][0]) is tuple


TYPES = {
    **dict.fromkeys(("all_wheels_on_track", "is_left_of_center", "is_reversed", "is_crashed", "is_offtrack"), "bool"),
    "object_in_camera": "bool",
    **dict.fromkeys(("x", "y", "heading", "distance_from_center", "projection_distance", "progress"), "float"),
    **dict.fromkeys(("speed", "steering_angle", "track_width", "track_length", "sim_time"), "float"),
    "steps": "int",
    **dict.fromkeys(("waypoints", "closest_waypoints", "closest_objects", "objects_location"), "list"),
    **dict.fromkeys(("objects_left_of_center", "objects_speed", "objects_heading"), "list"),
    **dict.fromkeys(("objects_distance_from_center", "objects_distance"), "list"),
}


def test_params_are_a_private_copy():
    text = """
def reward_function(params):
    total = len(params["waypoints"]) + params["closest_waypoints"][0] + len(params["objects_speed"])
    params["waypoints"].clear()
    params["closest_waypoints"][0] = -1
    params["objects_speed"].append(1)
    params["x"] = 99.0
    return total
"""
    values = states()
    before = {key: getattr(values, key).copy() for key in ARRAY_KEYS}
    run = runner(text)
    first = run(values)
    assert np.array_equal(run(values), first)
    assert all(np.array_equal(getattr(values, key), before[key]) for key in ARRAY_KEYS)
    assert len(values.waypoints) == len(TRACK.waypoints)


def test_reversed_cars_see_reversed_waypoints():
    run = runner(
        "def reward_function(params):\n    return params['waypoints'][0][0] + 100 * params['waypoints'][5][1]\n"
    )
    values = states()
    values.is_reversed[:] = np.arange(CARS) % 2
    expected = run.plain(values)
    assert expected[0] != expected[1]
    assert run.compile(sample_states(TRACK, CARS))
    np.testing.assert_allclose(run(values), expected)


def test_each_car_has_its_own_memory():
    text = """
class Memory:
    def __init__(self):
        self.count = 0

memory = Memory()
total = 0.0

def reward_function(params):
    global total
    memory.count += 1
    total += params["x"]
    return 1000 * memory.count + total
"""
    run = runner(text, 3)
    values = ParamArrays.allocate(TRACK, 3)
    values.x[:] = [1.0, 2.0, 3.0]
    assert run(values).tolist() == [1001.0, 1002.0, 1003.0]
    assert run(values).tolist() == [2002.0, 2004.0, 2006.0]


def test_number_types():
    text = "import numpy as np\ndef reward_function(params):\n    return {}\n"
    values = states()
    for expression in ("np.float32(0.5)", "np.int64(2)", "np.bool_(True)", "True", "2", "np.float64(1) * 2"):
        assert runner(text.format(expression))(values)[0] == float(eval(expression, {"np": np}))
    for expression in ("np.zeros(1)", "None", "'1'", "1j", "(1.0,)", "params"):
        with pytest.raises(UserError, match="not a number"):
            runner(text.format(expression))(values)


def test_a_compiled_fault_gets_its_line_from_plain_python():
    run = runner("def reward_function(params):\n    y = params['x'] - 1.0\n    return 1.0 / y\n")
    assert run.compile(sample_states(TRACK, CARS))
    values = states()
    values.x[5] = 1.0
    with pytest.raises(UserError, match=r"reward_function.py:3: ZeroDivisionError.*for car 5 at step"):
        run(values)


def test_message_names_the_situation():
    values = states()
    values.steps[2], values.progress[2] = 17, 12.3
    with pytest.raises(UserError, match=r":2: .*nan.* for car 2 at step 17: progress 12.3, x "):
        runner("def reward_function(params):\n    return float('nan') if params['steps'] == 17 else 1.0\n")(values)
