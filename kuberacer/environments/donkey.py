"""The donkey car: a camera's picture in, steering out, the throttle fixed; on our own road or in a donkey simulator.

Observations (120, 160, 3) uint8, actions (1,) in -1 (left) .. 1 (right). `info` is gym-donkeycar's: x, y, z, speed,
cte (the cross-track error, in the simulator's units, right of the centre line positive), hit ("none", or what was hit),
throttle, steering.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from kuberacer.environments import donkey_seat
from kuberacer.environments.donkey_reward import CteReward, simulators_own
from kuberacer.errors import UserError
from kuberacer.sim.donkey_world import DonkeyWorld

FRAME = spaces.Box(0, 255, (120, 160, 3), np.uint8)
STEERING = spaces.Box(-1.0, 1.0, (1,), np.float32)
INFO = ("x", "y", "z", "speed", "cte", "hit")
EMBEDDED = "embedded"
THROTTLE, MAX_CTE, SCALE_CTE_REWARD, CRASH_REWARD = 0.30, 6.0, 5.0, -200.0
Reward = Callable[[Any, Any, dict[str, Any]], Any]


class World(Protocol):
    """Where cars drive: the embedded road (DonkeyWorld), or a seat in a simulator that is connected
    (donkey_seat.Seat). Arrays have the car as first axis."""

    lost: np.ndarray  # (cars,) bool: somebody else has this car since

    @property
    def frames(self) -> np.ndarray: ...

    @property
    def cte(self) -> np.ndarray: ...

    def restart(self) -> None:
        """Begin with the first episode again."""

    def reset(self, mask: np.ndarray, seeds: Sequence[int]) -> None:
        """Stand the masked cars at the beginning of their next episodes."""

    def advance(self, steering: np.ndarray, throttle: float) -> None:
        """One step of all cars."""


class DonkeyCars(VectorEnv[np.ndarray, np.ndarray, np.ndarray]):
    """Cars that are stepped together. An episode terminates where |cte| > max_cte or something is hit, and is truncated
    after max_episode_steps; an ended car stays until reset(options={"reset_mask": …})."""

    def __init__(self, world: World, cars: int, reward: Reward, throttle: float, max_cte: float, max_steps: int):
        self.num_envs, self.world, self.reward = cars, world, reward
        self.throttle, self.max_cte, self.max_steps = throttle, max_cte, max_steps
        self.metadata = {"autoreset_mode": AutoresetMode.DISABLED, "render_modes": ["rgb_array"], "render_fps": 15}
        self.single_observation_space, self.single_action_space = FRAME, STEERING
        self.observation_space, self.action_space = batch_space(FRAME, cars), batch_space(STEERING, cars)
        self.steps, self.steering = np.zeros(cars, np.int64), np.zeros(cars)
        self.seeds: list[int] = []
        self.farthest, self.first = np.zeros(cars), np.ones(cars, bool)

    def reset(
        self, *, seed: int | list[int] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """seed: car i's is seed + i; begins with the cars' first episodes again."""
        mask = (options or {}).get("reset_mask")
        if seed is None and not self.seeds:
            seed = int(np.random.SeedSequence().generate_state(1)[0])
        if seed is not None:
            self.seeds = [seed + i for i in range(self.num_envs)] if isinstance(seed, int) else list(seed)
            self.world.restart()
            mask = None
            self.farthest[:], self.first[:] = 0.0, True
        chosen = np.ones(self.num_envs, bool) if mask is None else np.asarray(mask, bool)
        self.world.reset(chosen, self.seeds)
        self.steps[chosen], self.steering[chosen] = 0, 0.0
        return self.world.frames, self._infos()

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        self.steering = np.clip(np.asarray(actions, np.float64).reshape(self.num_envs), -1.0, 1.0)
        self.world.advance(self.steering, self.throttle)
        self.steps += 1
        infos = self._infos()
        done = (np.abs(infos["cte"]) > self.max_cte) | (infos["hit"] != "none")
        truncated = ((self.steps >= self.max_steps) | self.world.lost) & ~done
        self.farthest[self.first] = np.maximum(self.farthest, np.abs(infos["cte"]))[self.first]
        self.first &= ~(done | truncated)
        return self.world.frames, self._rewards(done, infos), done, truncated, infos

    def figures(self) -> dict[str, float]:
        """What an evaluation tells of the cars' first episodes beside their returns."""
        return {"farthest_cte": float(self.farthest.max())}

    def _rewards(self, done: np.ndarray, infos: dict[str, Any]) -> np.ndarray:
        given = simulators_own(infos["cte"], infos["speed"], infos["hit"], done, self.max_cte)
        if isinstance(self.reward, CteReward):
            return np.asarray(self.reward(given, done, infos), np.float64)
        keys = [key for key in infos if not key.startswith("_")]
        each = [
            self.reward(float(given[car]), bool(done[car]), {key: infos[key][car].item() for key in keys})
            for car in range(self.num_envs)
        ]
        return np.array(each, np.float64)

    def _infos(self) -> dict[str, Any]:
        throttle = np.full(self.num_envs, self.throttle)
        found = {key: np.array(getattr(self.world, key)) for key in INFO}
        found |= {"throttle": throttle, "steering": self.steering.copy()}
        every = np.ones(self.num_envs, bool)
        return {**found, **{f"_{key}": every for key in found}}


class DonkeyCar(gymnasium.Env[np.ndarray, np.ndarray]):
    """One car. A subclass may give another reward by `build_reward_fn`."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 15}  # noqa: RUF012  Gymnasium's
    meanings = {"action": ("steering",)}  # noqa: RUF012
    observation_space, action_space = FRAME, STEERING

    def __init__(self, render_mode: str | None = None, **parameters: Any):
        """parameters: of `vector_env`."""
        self.render_mode = render_mode
        self.cars = self.vector_env(1, **parameters)

    @classmethod
    def vector_env(
        cls,
        copies: int,
        *,
        throttle: float = THROTTLE,
        max_cte: float = MAX_CTE,
        scale_cte_reward: float = SCALE_CTE_REWARD,
        crash_reward: float = CRASH_REWARD,
        max_episode_steps: int = 800,
        simulator: str = EMBEDDED,
        scene: str = "generated_road",
        settle_seconds: float = 1.0,
    ) -> DonkeyCars:
        """simulator: "embedded", or where a donkey simulator is (see donkey_simulator.py), with one car only; scene,
        and how long its car takes to stand after a reset, are its.

        Raises UserError for numbers that make no sense, and for a simulator that does not answer."""
        for name, value, low, high in (
            ("throttle", throttle, 0.0, 1.0),
            ("max_cte", max_cte, 0.1, 100.0),
            ("max_episode_steps", max_episode_steps, 1, 10**6),
        ):
            if not low <= value <= high:
                raise UserError(f"donkey car: {name} is {value:g}", f"give {low:g} to {high:g}")
        most = cls.most_copies(simulator=simulator)
        if most is not None and copies > most:
            raise UserError(f"a donkey simulator has one car, not {copies}", "COPIES=1")
        world = DonkeyWorld(copies) if most is None else donkey_seat.seat_at(simulator, scene, settle_seconds)
        reward = cls.build_reward_fn(scale_cte_reward, crash_reward, max_cte)
        return DonkeyCars(world, copies, reward, throttle, max_cte, max_episode_steps)

    @classmethod
    def most_copies(cls, *, simulator: str = EMBEDDED, **_: Any) -> int | None:
        """How many can be stepped together; None: any number."""
        return None if simulator in ("", EMBEDDED) else 1

    @classmethod
    def draw(
        cls,
        folder: Path,
        *,
        throttle: float = THROTTLE,
        max_cte: float = MAX_CTE,
        scale_cte_reward: float = SCALE_CTE_REWARD,
        crash_reward: float = CRASH_REWARD,
        **_: Any,
    ) -> None:
        """The reward over the cross-track error, as a picture."""
        from kuberacer.report.cte_reward_plot import cte_reward_plot  # not at the top: matplotlib is slow to import

        reward = cls.build_reward_fn(scale_cte_reward, crash_reward, max_cte)
        there = {"x": 0.0, "y": 0.0, "z": 0.0, "speed": 0.0, "hit": "none", "throttle": throttle, "steering": 0.0}
        path = folder / "reward_distribution.png"
        cte_reward_plot(path, lambda cte: reward(1.0, False, {**there, "cte": cte}), max_cte)

    @classmethod
    def build_reward_fn(cls, scale_cte_reward: float, crash_reward: float, max_cte: float) -> Reward:
        """The function (reward, done, info) -> number that the learner learns by."""
        return CteReward(scale_cte_reward, crash_reward, max_cte)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        frames, infos = self.cars.reset(seed=seed)
        return frames[0], _of_first(infos)

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        frames, rewards, terminated, truncated, infos = self.cars.step(np.asarray(action)[None])
        return frames[0], float(rewards[0]), bool(terminated[0]), bool(truncated[0]), _of_first(infos)

    def render(self) -> Any:
        return self.cars.world.frames[0]

    def close(self) -> None:
        self.cars.close()


def _of_first(infos: dict[str, Any]) -> dict[str, Any]:
    return {key: values[0].item() for key, values in infos.items() if not key.startswith("_")}
