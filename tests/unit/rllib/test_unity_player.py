"""Players of the Basic scene, sound and broken, over the real protocol."""

import contextlib
import pickle
import socket
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from kuberacer.errors import UserError
from kuberacer.rllib.unity_player import UnityPlayer
from tests.unit.rllib.players import write_player

STAY, LEFT, RIGHT = 0, 1, 2


@contextlib.contextmanager
def started(folder: Path, *switches: str, timeout_s: int = 60):
    player = UnityPlayer(write_player(folder / "Basic.x86_64", *switches), folder / "player.log", timeout_s=timeout_s)
    try:
        yield player
    finally:
        player.close()


def refused(folder: Path, *switches: str, timeout_s: int = 60) -> str:
    """What the player's fault is told as."""

    def play() -> None:
        with started(folder, *switches, timeout_s=timeout_s) as player:
            player.reset()
            for _ in range(20):
                player.step(STAY)

    with pytest.raises(UserError) as told:
        play()
    assert not children()
    return str(told.value)


def children() -> list[psutil.Process]:
    return psutil.Process().children()


def test_the_scene_pays_what_unitys_scene_pays(tmp_path):
    with started(tmp_path) as player:
        assert player.behaviour == "Basic"
        assert (player.observation_space.shape, player.action_space.n) == ((20,), 3)
        for action, steps, total in ((RIGHT, 7, 0.93), (LEFT, 3, 0.07)):
            seen, _ = player.reset()
            assert (seen.argmax(), seen.sum(), seen.dtype) == (10, 1, np.float32)
            rewards, ended = [], False
            while not ended:
                _, reward, ended, given_up, _ = player.step(action)
                rewards.append(reward)
                assert not given_up
            assert (len(rewards), round(sum(rewards), 4)) == (steps, total)
    assert not children()


def test_an_episode_that_reaches_nothing_is_given_up(tmp_path):
    with started(tmp_path) as player:
        player.reset()
        for _ in range(499):
            assert player.step(STAY)[2:4] == (False, False)
        assert player.step(STAY)[2:4] == (False, True)
        assert player.reset()[0].argmax() == 10


def test_a_player_in_use_is_passed_over_for_the_next_id(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 5005))
        taken.listen()
        with started(tmp_path / "a") as first, started(tmp_path / "b") as second:
            assert len({5005, first.connection._port, second.connection._port}) == 3
            assert first.reset()[0].argmax() == second.reset()[0].argmax() == 10


def test_the_server_of_a_player_listens_on_loopback_alone(tmp_path):
    with started(tmp_path) as player:
        places = {
            each.laddr.ip for each in psutil.Process().net_connections()
            if each.status == psutil.CONN_LISTEN and each.laddr.port == player.connection._port
        }  # fmt: skip
    assert places <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}
    assert places


@pytest.mark.parametrize(
    ("switches", "cause"),
    [
        (("--fault", "dies"), "ended by itself, with status 3, when it was to start"),
        (("--fault", "dies", "--at", "5"), "ended by itself, with status 3, when it was to step"),
        (("--protocol", "0.10.0"), "speaks ML-Agents' protocol 0.10.0, this version speaks 1.x"),
        (("--protocol", "2.0.0"), "speaks ML-Agents' protocol 2.0.0"),
        (("--agents", "2"), "is not for a single agent"),
        (("--behaviours", "2"), "is not for a single agent"),
    ],
)
def test_what_is_wrong_with_a_player_is_told(tmp_path, switches, cause):
    told = refused(tmp_path, *switches)
    assert cause in told
    assert "remedy: " in told
    if "status" in cause:
        assert "Caught fatal signal" in told


@pytest.mark.parametrize(("step", "timeout_s", "doing"), [(0, 4, "start"), (5, 10, "step")])
def test_a_player_that_hangs_is_given_up_after_its_time(tmp_path, step, timeout_s, doing):
    began = time.monotonic()
    told = refused(tmp_path, "--fault", "hangs", "--at", str(step), timeout_s=timeout_s)
    assert f"did not {doing} within {timeout_s} s" in told
    assert time.monotonic() - began > timeout_s


def test_an_error_reaches_another_process_whole():
    error = UserError("a player died", "see its log")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
