"""A Unity player as a Gymnasium environment, with deadlines and with errors that say what is wrong with it."""

import contextlib
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import gymnasium
import numpy as np
from mlagents_envs.exception import UnityException, UnityTimeOutException, UnityWorkerInUseException

from kuberacer.errors import UserError
from kuberacer.rllib.ml_agents import Connection, UnityGymException, UnityToGymWrapper

WORKERS = 500  # ids that are tried; ids are ports, from mlagents-envs' 5005 on
TAIL_BYTES = 400
T = TypeVar("T")


class UnityPlayer(gymnasium.Env):
    """One player with one agent.

    Observations are the agent's vector (float32), or its first camera (rows, columns, channels) in bytes; actions one
    of n, or a box of -1..1. Several discrete branches become one of all their combinations.
    """

    def __init__(
        self,
        player: Path,
        log: Path,
        worker: int = 0,
        seed: int = 0,
        timeout_s: int = 60,
        graphics: bool = False,
        send_log: Callable[[bool], None] | None = None,
    ):
        """player: the executable. log: a file that is not there, for what it says. worker: the first id to try.
        timeout_s: for its start, and for each step. send_log: called at each episode, and with True at the end.

        Raises UserError when it does not start, or does not speak as it should.
        """
        self.player, self.log, self.timeout_s = player, log, timeout_s
        log.parent.mkdir(parents=True, exist_ok=True)
        self._send_log = send_log
        self.connection: Connection | None = None
        self.connection = self._told("start", lambda: self._connect(worker, seed, graphics))
        self.wrapper = self._told("start", self._wrap)
        seen = self.wrapper.observation_space
        self.frames = len(seen.shape) == 3
        if self.frames:  # Unity's are (channels, rows, columns)
            seen = gymnasium.spaces.Box(0, 255, (*seen.shape[1:], seen.shape[0]), np.uint8)
        else:
            seen = gymnasium.spaces.Box(-np.inf, np.inf, seen.shape, np.float32)
        self.observation_space, self.action_space = seen, self.wrapper.action_space

    @property
    def behaviour(self) -> str:
        """The agent's behaviour, as the scene calls it, without its team."""
        return self.wrapper.name.partition("?")[0]

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[np.ndarray, dict]:
        """A player takes a seed at its start only."""
        super().reset(seed=seed)
        if self._send_log:
            self._send_log(False)
        return self._observation(self._told("begin an episode", self.wrapper.reset)), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict]:
        seen, reward, done, info = self._told("step", lambda: self.wrapper.step(action))
        given_up = bool(done and info["step"].interrupted[0])
        return self._observation(seen), float(reward), bool(done and not given_up), given_up, {}

    def close(self) -> None:
        if self.connection is not None:
            self.connection.end()
            self.connection = None
            if self._send_log:
                self._send_log(True)

    def _connect(self, first: int, seed: int, graphics: bool) -> Connection:
        for worker in range(first, first + WORKERS):
            with contextlib.suppress(UnityWorkerInUseException):
                return Connection(self.player, worker, seed, self.timeout_s, graphics, self.log)
        raise UserError(f"{self.player.name}: no port from {5005 + first} on is free", "end programs that hold them")

    def _wrap(self) -> Any:
        assert self.connection is not None
        if not self.connection.behavior_specs:
            self.connection.step()  # until then a scene has not said what it has
        shapes = [
            len(spec.shape) for each in self.connection.behavior_specs.values() for spec in each.observation_specs
        ]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it makes boxes of doubles
            return UnityToGymWrapper(self.connection, uint8_visual=3 in shapes, flatten_branched=True)

    def _observation(self, seen: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(seen.transpose(1, 2, 0)) if self.frames else np.asarray(seen, np.float32)

    def _told(self, doing: str, action: Callable[[], T]) -> T:
        """Raises UserError, with the player ended, for what goes wrong."""
        try:
            return action()
        except (UnityException, UnityGymException, OSError, ValueError, EOFError, IndexError) as error:
            self.close()
            raise self._explained(doing, error) from error

    def _explained(self, doing: str, error: Exception) -> UserError:
        name, said = self.player.name, str(error)
        log = f"its log ({self.log}) ends with: {tail(self.log)}"
        if isinstance(error, UnityTimeOutException):
            return UserError(
                f"the player {name} did not {doing} within {self.timeout_s} s; {log}",
                "see the log; give it longer (player_timeout), or build it anew: for Linux, with Behavior Type Default",
            )
        if version := re.search(r"Unity API: (.*?)\.\s", said):
            return UserError(
                f"the player {name} speaks ML-Agents' protocol {version[1]}, this version speaks 1.x",
                "build the player with a release of com.unity.ml-agents from 1.0.0 to 3.x",
            )
        if isinstance(error, UnityGymException) and ("Agent" in said or "behavior" in said):
            return UserError(
                f"the scene of the player {name} is not for a single agent: {first_line(said)}",
                "build a scene with one agent that has one behaviour",
            )
        if status := re.search(r"return code (-?\d+( \(\w+\))?)", said):
            return UserError(
                f"the player {name} ended by itself, with status {status[1]}, when it was to {doing}; {log}",
                "see the log; a player that misses a library or a display says so there",
            )
        return UserError(
            f"the player {name} could not {doing}: {type(error).__name__}: {first_line(said)}; {log}", "see the log"
        )


def tail(log: Path) -> str:
    """The end of a log, on one line."""
    with contextlib.suppress(OSError), log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL_BYTES))
        lines = file.read().decode("utf-8", "replace").split("\n")
        return " / ".join(line.strip() for line in lines[-6:] if line.strip()) or "nothing"
    return "nothing"


def first_line(text: str) -> str:
    return next(iter(text.strip().splitlines()), "")[:300]
