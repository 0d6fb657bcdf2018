"""A donkey simulator that is connected, by a stand-in: driven, taken over, and broken in every way."""

import contextlib
import json
import os
import socket
import sys
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuberacer.environments import donkey_protocol, donkey_seat, donkey_simulator
from kuberacer.environments.donkey import DonkeyCar
from kuberacer.environments.donkey_protocol import Garbage
from kuberacer.environments.loader import Environments
from kuberacer.errors import UserError
from kuberacer.rollout.environment_play import evaluate

sys.path.insert(0, str(Path(__file__).parent))

from donkey_stand_in import Talk, options_of

STAND_IN = Path(__file__).parent / "donkey_stand_in.py"
AHEAD = np.zeros(1, np.float32)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture
def simulator():
    """simulator(*arguments) -> host:port to which a stand-in with these connects, a thread of this process."""
    threads = []

    def make(*arguments: str) -> str:
        port = free_port()
        talk = Talk(options_of(["--port", str(port), *arguments]))
        threads.append(Thread(target=talk.run))
        threads[-1].start()
        return f"127.0.0.1:{port}"

    yield make
    donkey_seat.disconnect()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


@pytest.fixture
def program(tmp_path: Path):
    """program(script) -> the path of a program that is started with the simulator's arguments."""

    def make(script: str) -> str:
        path = tmp_path / "donkey_sim"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return str(path)

    yield make
    donkey_seat.disconnect()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines that a test can wait for."""
    monkeypatch.setattr(donkey_simulator, "PATIENCE_S", {"connect": 60.0, "load": 2.0, "frame": 2.0, "reset": 2.0})


def car(where: str, **parameters) -> DonkeyCar:
    return DonkeyCar(simulator=where, settle_seconds=0.0, **parameters)


def drive(where: str, steps: int = 20) -> None:
    env = car(where)
    env.reset()
    for _ in range(steps):
        env.step(AHEAD)


def test_it_is_driven_off_its_road_and_comes_back(simulator):
    env = car(simulator())
    frame, info = env.reset()
    assert frame.shape == (120, 160, 3)
    assert len(np.unique(frame.reshape(-1, 3), axis=0)) > 100  # a picture of a road, not one colour
    assert abs(info["cte"]) < 0.1
    ctes, done = [], False
    while not done:
        _, reward, done, truncated, info = env.step(AHEAD + 1)
        ctes.append(info["cte"])
        assert not truncated
        assert len(ctes) < 200
    assert info["cte"] > 6.0 >= max(ctes[:-1])
    assert (reward, info["throttle"], info["steering"], info["hit"]) == (-200.0, 0.3, 1.0, "none")
    _, info = env.reset()
    assert abs(info["cte"]) < 0.1
    assert info["speed"] < 0.1


def test_one_that_drives_by_its_own_clock(simulator):
    env = car(simulator("--clock", "60"), max_episode_steps=10)
    env.reset()
    places = []
    for _ in range(10):
        _, _, _, truncated, info = env.step(AHEAD)
        places.append((info["x"], info["z"]))
    assert truncated
    assert len(set(places)) == 10
    _, info = env.reset()
    assert abs(info["cte"]) < 0.1


def test_a_unity_that_writes_numbers_with_a_comma(simulator):
    env, plain = car(simulator("--comma")), car(simulator())
    for each in (env, plain):
        each.reset()
    told, wanted = (each.step(AHEAD + 0.5)[4] for each in (env, plain))
    assert told == wanted
    assert told["x"] % 1 != 0


def test_an_evaluation_takes_the_car_and_the_trainings_episode_is_cut(simulator):
    parameters = {"simulator": simulator(), "settle_seconds": 0.0, "max_episode_steps": 6}
    environments = Environments("donkey_car", "", parameters)
    assert environments.most_copies == 1
    training = environments.vector(1)
    training.reset(seed=1)
    training.step(np.zeros((1, 1)))
    played = evaluate(lambda seen: np.zeros((len(seen), 1)), environments, environments.model("sac"), 3, 0)
    assert played.lengths == [6, 6, 6]
    assert 0 < played.figures["farthest_cte"] < 6
    _, rewards, terminated, truncated, _ = training.step(np.ones((1, 1)))
    assert (terminated[0], truncated[0]) == (False, True)
    assert rewards[0] > 0
    training.reset(options={"reset_mask": np.array([True])})
    assert not training.step(np.zeros((1, 1)))[3][0]
    with pytest.raises(UserError, match="has one car, not 2"):
        environments.vector(2)


def test_one_that_comes_later_is_waited_for(simulator, capfd):
    where = simulator("--late", "0.5")
    env = car(where)
    assert abs(env.reset()[1]["cte"]) < 0.1
    assert f"waits for a donkey simulator to connect to {where}" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--silent",), "it has not said that its car is loaded within 2 s"),
        (("--stuck",), "it has not said that its car is loaded within 2 s"),
        (("--mute", "4"), "it has sent no frame within 2 s"),
        (("--dies", "4"), "it has closed the connection|the connection broke"),
        (("--garbage", "4", "--clock", "200"), "20 messages in a row say nothing, the last one: .* is no JSON"),
        (("--picture", "4", "--clock", "200"), "20 messages in a row say nothing, the last one: an image that is none"),
        (("--small", "--clock", "200"), "frames of 80 × 60 pixels instead of 160 × 120"),
        (("--stands",), "its car does not stand 2 s after it was reset"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_what_is_broken_is_said(simulator, hasty, arguments, said):
    with pytest.raises(UserError, match=said) as caught:
        drive(simulator(*arguments))
    assert len(str(caught.value).splitlines()) == 2
    assert "RESUME" in caught.value.remedy


def test_a_program_is_started_with_its_port_and_ends_with_the_connection(program, tmp_path):
    env = car(program(f'echo "$@" >{tmp_path}/arguments; exec {sys.executable} {STAND_IN} "$@"'))
    assert abs(env.reset()[1]["cte"]) < 0.1
    process = env.cars.world.simulator.process
    assert (tmp_path / "arguments").read_text().split()[::2][:2] == ["--port", "-logFile"]
    assert os.path.exists(f"/proc/{process.pid}")
    donkey_seat.disconnect()
    assert process.poll() is not None


def test_a_program_that_dies_in_an_episode_is_told_of_with_its_last_words(program):
    with pytest.raises(UserError, match=r"ended with status 3; it said 'the stand-in dies as it was asked to'"):
        drive(program(f'exec {sys.executable} {STAND_IN} "$@" --dies 6'))


def test_a_program_that_does_not_start_is_told_of_with_its_last_words(program):
    with pytest.raises(UserError, match=r"ended before it connected, its process ended with status 1; .*no display'"):
        car(program("echo 'cannot open: no display' >&2; exit 1"))


def test_who_does_not_connect_is_told_of(hasty, monkeypatch):
    monkeypatch.setitem(donkey_simulator.PATIENCE_S, "connect", 0.5)
    with pytest.raises(UserError, match="it has not connected within 0 s"):
        car(f":{free_port()}")


@pytest.mark.parametrize(("where", "said"), [("/no/such/sim", "is no program"), ("localhost:99999", "is no program")])
def test_a_wrong_place_is_named(where, said):
    with pytest.raises(UserError, match=said):
        car(where)


def test_a_file_that_is_no_program_is_named(program):
    where = program("exit 0")
    Path(where).chmod(0o644)
    with pytest.raises(UserError, match="may not be executed") as caught:
        car(where)
    assert caught.value.remedy == f"chmod +x {where}"


def test_a_port_that_is_taken_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UserError, match=f"cannot listen at {where}: .*in use"):
            car(where)


def test_an_unknown_scene_is_named_with_those_that_are_there(simulator):
    with pytest.raises(UserError, match="no scene 'moon'") as caught:
        car(simulator(), scene="moon")
    assert "warehouse" in caught.value.remedy


@given(st.binary(max_size=80))
def test_no_bytes_do_more_than_say_nothing(line):
    with contextlib.suppress(Garbage):
        donkey_protocol.telemetry(donkey_protocol.parse(line))


VALUES = st.none() | st.floats() | st.text(max_size=20) | st.lists(st.integers())
KEYS = st.sampled_from(["pos_x", "pos_y", "pos_z", "speed", "cte", "image", "hit"])


@given(st.dictionaries(KEYS, VALUES))
def test_no_telemetry_does_more_than_say_nothing(message):
    with pytest.raises(Garbage):
        donkey_protocol.telemetry({"msg_type": "telemetry", "image": "AAAA", **message})


def test_what_is_said_has_gym_donkeycars_form():
    """As its source writes it: numbers as texts, nothing between two messages."""
    said = (donkey_protocol.control(0.1, 0.3) + donkey_protocol.reset_car()).decode()
    first, end = json.JSONDecoder().raw_decode(said)
    assert first == {"msg_type": "control", "steering": "0.1", "throttle": "0.3", "brake": "0.0"}
    assert json.loads(said[end:]) == {"msg_type": "reset_car"}
