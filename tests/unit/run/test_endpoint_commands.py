"""What people give to the endpoints' commands, and what they are told."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuberacer.endpoint import checked_name, expiry, name_of_run
from kuberacer.errors import UserError
from kuberacer.run.endpoints import deploy, local
from kuberacer.run.endpoints.asking import Address
from kuberacer.run.endpoints.local import LocalEndpoint

CAR = {"shape": [2], "dtype": "float32", "low": None, "high": None, "meaning": ["position", "velocity"]}
CAMERA = {"shape": [120, 160, 1], "dtype": "uint8", "low": 0, "high": 255}


def test_an_expiry_is_a_time_from_now():
    assert [expiry(text, 1000.0) for text in ("90s", "30m", "8h", "2d")] == [1090, 2800, 29_800, 173_800]
    assert expiry("never", 1000.0) is None


@pytest.mark.parametrize("text", ["", "8", "8 h", "h", "0s", "-1h", "1.5h", "8w", "999999d", "Never"])
def test_what_is_no_expiry_is_told(text):
    with pytest.raises(UserError, match="EXPIRES is"):
        expiry(text)


@given(st.text(max_size=200))
def test_every_run_s_name_makes_an_endpoint_s(run):
    assert checked_name(name_of_run(run))


@pytest.mark.parametrize("name", ["", "Car", "a_b", "-a", "a-", "a.b", "a/b", "../a", "a" * 51])
def test_what_is_no_name_is_told(name):
    with pytest.raises(UserError, match="no name for an endpoint"):
        checked_name(name)


def test_the_commands_that_are_shown_are_of_the_model():
    address = Address("car", "127.0.0.1", 8090)
    lines = deploy.how_to(address, address.model, {"observation": CAR})
    assert lines[0] == "address: http://127.0.0.1:8090/v1/models/car"
    assert lines[1] == "predict: make predict NAME=car OBSERVATION='[0.0, 0.0]'"
    assert '{"instances": [[0.0, 0.0]]}' in lines[2]
    place, there = "http://r.kuberacer.svc/v1/models/r", Address("r", "::1", 1, "secret")
    picture = deploy.how_to(there, place, {"observation": CAMERA}, " BACKEND=kubernetes")
    assert picture[1] == "predict: make predict NAME=r BACKEND=kubernetes IMAGE=picture.png"
    assert f"{place}:predict" in picture[2]
    assert "Bearer $TOKEN" in picture[2]
    assert "secret" not in "".join(picture)
    lidar = {"shape": [3], "dtype": "float32"}
    both = deploy.how_to(address, place, {"observation": {"FRONT": CAMERA, "LIDAR": lidar}})
    assert both[1].endswith("OBSERVATION='{\"LIDAR\": [0.0, 0.0, 0.0]}' IMAGE=picture.png")


def endpoint(name: str, run: str) -> LocalEndpoint:
    return LocalEndpoint(Path(name), {"run": run}, 1)


def test_an_endpoint_is_found_by_its_name_or_its_run():
    there = [endpoint("a", "one"), endpoint("b", "two"), endpoint("c", "two")]
    assert deploy.chosen(there, "", "b").name == "b"
    assert deploy.chosen(there, "one", "").name == "a"
    for run, name, said in (
        ("two", "", "give NAME, one of: b, c"),
        ("three", "", "there are: a, b, c"),
        ("", "d", "make deploy-endpoint RUN=…; there are: a, b, c"),
        ("", "", "give NAME=…, or RUN=… of its run"),
    ):
        with pytest.raises(UserError) as told:
            deploy.chosen(there, run, name)
        assert said in told.value.remedy


def test_a_run_without_a_published_model_is_told(tmp_path):
    with pytest.raises(UserError, match="there is no run kidney"):
        local.fetch_model(tmp_path, "kidney", tmp_path / "to")
    (tmp_path / "kidney" / "model").mkdir(parents=True)
    (tmp_path / "kidney" / "model" / "policy.json").write_text("{}")
    with pytest.raises(UserError, match=r"the run kidney has no model/model.onnx") as told:
        local.fetch_model(tmp_path, "kidney", tmp_path / "to2")
    assert "RESUME=kidney" in told.value.remedy
    with pytest.raises(UserError) as told:
        local.fetch_model(tmp_path, "other", tmp_path / "to3")
    assert told.value.remedy == "choose one of kidney"


def test_a_record_that_was_left_behind_has_no_process(tmp_path):
    folder = tmp_path / ".endpoints" / "car"
    folder.mkdir(parents=True)
    (folder / ".lock").write_text("1\n")  # init: it holds no lock here
    (folder / "endpoint.json").write_text(json.dumps({"run": "r", "host": "127.0.0.1", "port": 1, "expires_at": None}))
    (found,) = local.all_of(tmp_path)
    assert (found.name, found.run, found.pid) == ("car", "r", None)
    assert "has ended" in deploy.listed(tmp_path, cluster=False)[0]
    local.delete(found)
    assert local.all_of(tmp_path) == []


def test_what_the_log_says_last_is_the_reason(tmp_path):
    log = tmp_path / "server.log"
    log.write_text(
        "serving\nerror: old\nremedy: old\nerror: model.onnx is damaged\nremedy: publish it again\nTraceback\n"
    )
    fault = local._fault(log)
    assert (fault.cause, fault.remedy) == ("model.onnx is damaged", "publish it again")
    log.write_text("Killed\n")
    assert local._fault(log).cause == "the server ended: Killed"
