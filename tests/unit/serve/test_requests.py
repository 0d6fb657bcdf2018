"""From a body to arrays: whatever is sent, it is an observation or it is told what is wrong with it."""

import json
import math

import numpy as np
import policies
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuberacer.serve.observations import FARTHEST, MOST_INSTANCES, RequestError, Requests
from kuberacer.serve.policy import Policy

VECTOR = Requests(Policy.model_validate(policies.policy()))
SMALL = {"name": "camera", "shape": [2, 3, 1], "dtype": "uint8"}
PICTURE = Requests(Policy.model_validate(policies.policy(observation=SMALL, normalisation=None)))
BOTH = Requests(
    Policy.model_validate(policies.policy(observation={"inputs": [SMALL, policies.LIDAR]}, normalisation=None))
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)
NUMBERS = st.floats(-FARTHEST, FARTHEST, width=32) | st.integers(-(10**9), 10**9)


def body(*instances: object) -> bytes:
    return json.dumps({"instances": instances}).encode()


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=MOST_INSTANCES))
def test_what_fits_arrives_as_it_was_sent(observations):
    (found,) = VECTOR.arrays(VECTOR.read(body(*observations)))
    np.testing.assert_array_equal(found, np.array(observations, np.float32))
    assert found.dtype == np.float32


@given(JSON)
def test_any_json_is_an_observation_or_is_told_what_is_wrong(instance):
    for requests in (VECTOR, PICTURE, BOTH):
        check(requests, body(instance))
        check(requests, json.dumps(instance).encode())


@given(st.binary(max_size=60))
def test_any_bytes_are_refused_with_a_cause(data):
    for requests in (VECTOR, PICTURE, BOTH):
        check(requests, data)


@given(st.lists(st.lists(st.floats() | st.integers() | st.booleans() | st.text(max_size=3), max_size=3), max_size=3))
@settings(max_examples=300)
def test_nothing_but_finite_numbers_of_the_right_shape_comes_through(instances):
    fits = bool(instances) and all(
        len(each) == 2 and all(type(n) in (int, float) and math.isfinite(n) and abs(n) <= FARTHEST for n in each)
        for each in instances
    )
    assert check(VECTOR, json.dumps({"instances": instances}).encode()) == fits


def check(requests: Requests, data: bytes) -> bool:
    """Whether it was taken; what comes through is finite and has the sensors' shapes."""
    try:
        arrays = requests.arrays(requests.read(data))
    except RequestError as error:
        fault = error.cause
    else:
        fault = ""
    assert "\n" not in fault
    if fault:
        return False
    for array, sensor in zip(arrays, requests.sensors, strict=True):
        assert array.shape[1:] == sensor.shape
        assert np.isfinite(array).all()
    return True


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"instances": [[0.5]]}', "instances[0]: List should have at least 2 items"),
        (b'{"instances": [[1, 2], [1, 2, 3]]}', "instances[1]: List should have at most 2 items"),
        (b'{"instances": [[0.5, NaN]]}', "instances[0][1]: Input should be a finite number"),
        (b'{"instances": [[Infinity, 0]]}', "instances[0][0]: Input should be a finite number"),
        (b'{"instances": [[1e999, 0]]}', "instances[0][0]: Input should be a finite number"),
        (b'{"instances": [[1e300, 0]]}', "instances[0][0]: Input should be less than or equal to 1000000000"),
        (b'{"instances": [["0.5", 0]]}', "instances[0][0]: Input should be a valid number"),
        (b'{"instances": [[true, 0]]}', "instances[0][0]: Input should be a valid number"),
        (b'{"instances": [[null, 0]]}', "instances[0][0]: Input should be a valid number"),
        (b'{"instances": [[[0.5], 0]]}', "instances[0][0]: Input should be a valid number"),
        (b'{"instances": []}', "instances: List should have at least 1 item"),
        (b'{"instances": {}}', "instances: Input should be a valid array"),
        (b'{"inputs": [[1, 2]]}', "instances: Field required"),
        (b'{"instances": [[1, 2]], "more": 1}', "more: Extra inputs are not permitted"),
        (b"[[1, 2]]", "Input should be an object"),
        (b"", "Invalid JSON"),
        (b"\xff\xfe", "Invalid JSON"),
        (b"[" * 50_000, "Invalid JSON: recursion limit exceeded"),
        (b'{"instances": [[' + b"1" * 100_000 + b", 0]]}", "Invalid JSON: number out of range"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(data, said):
    with pytest.raises(RequestError) as told:
        VECTOR.read(data)
    assert told.value.cause.startswith(said)


def test_too_many_instances_are_refused():
    assert len(VECTOR.read(body(*[[0, 0]] * MOST_INSTANCES))) == MOST_INSTANCES
    with pytest.raises(RequestError, match="at most 128 items"):
        VECTOR.read(body(*[[0, 0]] * (MOST_INSTANCES + 1)))


def test_several_sensors_come_by_their_names():
    frame = [[[1], [2], [3]], [[4], [5], [6]]]
    camera, lidar = BOTH.arrays(BOTH.read(body({"LIDAR": [0.1, 0.2, 0.3], "camera": frame})))
    assert camera[0].tolist() == frame
    np.testing.assert_allclose(lidar, [[0.1, 0.2, 0.3]])
    for wrong, said in (({"camera": frame}, "LIDAR: Field required"), ({"camera": frame, "LIDAR": [1]}, "LIDAR: List")):
        with pytest.raises(RequestError, match=said):
            BOTH.read(body(wrong))


def test_pixels_are_whole_numbers_of_a_byte():
    for pixel, said in ((256, "less than or equal to 255"), (-1, "greater than"), (1.5, "valid integer")):
        with pytest.raises(RequestError, match=said):
            PICTURE.read(body([[[pixel], [2], [3]], [[4], [5], [6]]]))


def test_the_schema_says_what_is_taken():
    schema = VECTOR.schema()
    inner = schema["properties"]["instances"]["items"]
    assert (inner["minItems"], inner["maxItems"]) == (2, 2)
    assert inner["items"] == {"type": "number", "minimum": -FARTHEST, "maximum": FARTHEST}
    camera = Policy.model_validate(policies.policy(observation=policies.CAMERA, normalisation=None))
    assert (VECTOR.most_body, Requests(camera).most_body) == (64 << 10, 4 << 20)


def test_an_observation_beyond_its_bounds_is_taken_up_to_those_of_a_larger_space():
    wide = {"shape": [1], "dtype": "float32", "low": [-1e12], "high": [1e12]}
    requests = Requests(Policy.model_validate(policies.policy(observation=wide, normalisation=None)))
    assert requests.read(body([9e11]))
    with pytest.raises(RequestError):
        requests.read(body([2e12]))
