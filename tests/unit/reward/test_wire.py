"""The lines between KubeRacer and a reward in another language."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuberacer.reward import wire
from kuberacer.reward.samples import sample_states
from kuberacer.sim.params import ALL_KEYS, params_dict
from kuberacer.sim.track import load_track

TRACK = load_track("pebble")
CARS = 3
VALUES = next(sample_states(TRACK, CARS, 2))


@pytest.mark.parametrize("keys", [wire.DEFAULT_KEYS, ALL_KEYS, ("speed",), ()])
def test_a_step_is_the_dictionaries_of_all_cars(keys: tuple[str, ...]) -> None:
    for values in sample_states(TRACK, CARS, 2):
        line = wire.step(values, keys)
        assert line.endswith(b"\n")
        assert line.count(b"\n") == 1
        expected = [json.loads(json.dumps(params_dict(values, car, keys))) for car in range(CARS)]
        assert json.loads(line)["params"] == expected


def test_the_first_line_tells_the_track() -> None:
    told = json.loads(wire.hello(TRACK, 8, 2, 7))
    assert (told["kuberacer_reward"], told["cars"], told["objects"], told["seed"]) == (1, 8, 2, 7)
    assert told["track"]["waypoints"] == [list(point) for point in TRACK.waypoints]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ('{"kuberacer_reward": 2}', "kuberacer_reward 2"),
        ('{"kuberacer_reward": true}', "kuberacer_reward True"),
        ("{}", "kuberacer_reward None"),
        ('{"kuberacer_reward": 1, "keys": "speed"}', "its keys are 'speed'"),
        ('{"kuberacer_reward": 1, "keys": ["sped"]}', "asks for the key 'sped'"),
        ("hello", "not JSON: hello"),
    ],
)
def test_faults_of_the_first_answer(answer: str, words: str) -> None:
    with pytest.raises(wire.WireFault, match=words):
        wire.read_hello(answer.encode())


def test_keys_of_the_first_answer() -> None:
    assert wire.read_hello(b'{"kuberacer_reward": 1}') == wire.DEFAULT_KEYS
    assert wire.read_hello(b'{"kuberacer_reward": 1, "keys": ["x", "speed", "x"]}') == ("x", "speed")


@pytest.mark.parametrize(
    ("answer", "words", "car"),
    [
        ('{"rewards": [1, 2]}', "2 rewards for 3 cars", None),
        ('{"rewards": [1, "2", 3]}', "'2', not a number", 1),
        ('{"rewards": [1, true, 3]}', "True, not a number", 1),
        ('{"rewards": [1, 2, NaN]}', "nan, not within", 2),
        ('{"rewards": [-Infinity, 2, 3]}', "-inf, not within", 0),
        ('{"rewards": [1, 2, 100000.5]}', "100000.5, not within", 2),
        ('{"rewards": [1, 2, 1' + "0" * 400 + "]}", "1000.*, not within", 2),
        ('{"rewards": {"0": 1}}', "no rewards", None),
        ('{"error": "no such waypoint"}', "it says: no such waypoint", None),
        ("[1, 2, 3]", "no JSON object", None),
        ("1.0", "no JSON object", None),
        ("", "not JSON", None),
        ("[" * 100_000, "not JSON", None),
    ],
)
def test_faults_of_an_answer(answer: str, words: str, car: int | None) -> None:
    with pytest.raises(wire.WireFault, match=words) as found:
        wire.read_rewards(answer.encode(), VALUES)
    assert found.value.car == car
    assert len(str(found.value)) < 400


@given(st.lists(st.floats(-1e5, 1e5), min_size=CARS, max_size=CARS))
def test_rewards_arrive_as_they_were(rewards: list[float]) -> None:
    assert wire.read_rewards(json.dumps({"rewards": rewards}).encode(), VALUES).tolist() == rewards


@given(st.one_of(st.binary(), st.text().map(str.encode), st.lists(st.floats()).map(lambda r: json.dumps(r).encode())))
def test_any_bytes_are_rewards_or_a_fault(data: bytes) -> None:
    for line in (data, b'{"rewards":' + data + b"}"):
        try:
            rewards = wire.read_rewards(line, VALUES)
        except wire.WireFault:
            continue
        assert rewards.shape == (CARS,)
        assert np.abs(rewards).max() <= 1e5
