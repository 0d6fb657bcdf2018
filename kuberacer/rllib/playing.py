"""Which environment is played: a Unity player, or any of Gymnasium; made anew in each of Ray's processes."""

import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import gymnasium
import numpy as np

from kuberacer.coach.environment_model import EnvironmentModel
from kuberacer.environments.loader import Environments
from kuberacer.errors import UserError
from kuberacer.rllib.player_files import bring_player
from kuberacer.settings import StoreSettings
from kuberacer.store.client import ObjectStore
from kuberacer.store.log_copy import MOST_BYTES, log_key

UNITY = "unity:"  # what the names of Unity's environments begin with
SEND_EVERY_S = 30.0


@dataclass(frozen=True)
class Playing:
    """What to play. environment: a name for kuberacer.environments, or '' with a player (see bring_player).

    folder: of this machine, for the player's files and logs. timeout_s: for the player's start, and each step.
    run: its name in the store, where the players' logs go.
    """

    environment: str
    source: str
    player: str
    executable: str
    folder: str
    run: str
    timeout_s: int = 60
    graphics: bool = False
    seed: int = 0

    def as_config(self) -> dict[str, Any]:
        """For Ray, which takes dictionaries."""
        return asdict(self)

    @classmethod
    def of_config(cls, config: Any) -> Self:
        return cls(**{name: config[name] for name in cls.__dataclass_fields__})

    def open(self, worker: int = 0) -> gymnasium.Env:
        """One environment as it is. worker: tells players apart. Raises UserError when it cannot be made."""
        return self._player(worker) if self.player else Environments(self.environment, self.source).make()

    def open_scaled(self, worker: int) -> gymnasium.Env:
        """As RLlib's networks want it: frames in 0..1."""
        env = self.open(worker)
        return gymnasium.wrappers.TransformObservation(env, scaled, _unit(env)) if is_frames(env) else env

    def model(self) -> EnvironmentModel:
        """What a policy sees and does there, found by opening one."""
        env = self.open()
        try:
            meanings = getattr(env.unwrapped, "meanings", None)
            name = f"{UNITY}{env.behaviour}" if self.player else self.environment  # type: ignore[attr-defined]
            return EnvironmentModel.of(name, "ppo", env.observation_space, env.action_space, meanings)
        finally:
            env.close()

    def _player(self, worker: int) -> gymnasium.Env:
        from kuberacer.rllib.unity_player import UnityPlayer  # brings mlagents-envs in

        place = Path(self.folder)
        executable = bring_player(self.player, self.executable, place / "players")
        log = place / "logs" / f"player-{worker}-{os.getpid()}-{time.monotonic_ns()}.log"
        sender = LogSender(log, log_key(self.run, f"player-{worker}")) if self.run else None
        seed = self.seed + worker
        return UnityPlayer(executable, log, worker, seed, self.timeout_s, self.graphics, sender)


class LogSender:
    """Puts a player's log into the store, now and then and when it is over. A store that is away costs the copy."""

    def __init__(self, log: Path, key: str):
        self.log, self.key = log, key
        self._sent = -SEND_EVERY_S

    def __call__(self, last: bool) -> None:
        if not last and time.monotonic() - self._sent < SEND_EVERY_S:
            return
        self._sent = time.monotonic()
        with contextlib.suppress(UserError, OSError):
            with self.log.open("rb") as file:
                file.seek(max(0, self.log.stat().st_size - MOST_BYTES))
                data = file.read()
            store = ObjectStore(StoreSettings.from_environment(), timeout_s=10, attempts=1)
            store.put_bytes(self.key, data, "text/plain; charset=utf-8")


def is_frames(env: gymnasium.Env) -> bool:
    space = env.observation_space
    return isinstance(space, gymnasium.spaces.Box) and len(space.shape) == 3 and space.dtype == np.uint8


def scaled(frames: Any) -> np.ndarray:
    return np.asarray(frames, np.float32) / 255.0


def _unit(env: gymnasium.Env) -> gymnasium.spaces.Box:
    shape = env.observation_space.shape
    assert shape is not None
    return gymnasium.spaces.Box(0.0, 1.0, shape, np.float32)


Policy = Callable[[np.ndarray], np.ndarray]  # what is seen, (1, …) -> the environment's actions, (1, …)


def play(env: gymnasium.Env, policy: Policy, episodes: int, seed: int) -> tuple[list[float], list[int]]:
    """(returns, steps) of so many episodes, one after the other; episode i begins with seed + i."""
    returns, lengths = [], []
    for number in range(episodes):
        seen: Any = env.reset(seed=seed + number)[0]
        total, steps, done = 0.0, 0, False
        while not done:
            seen, reward, terminated, truncated, _ = env.step(policy(np.asarray(seen)[None])[0])
            total, steps, done = total + float(reward), steps + 1, bool(terminated or truncated)
        returns.append(total)
        lengths.append(steps)
    return returns, lengths
