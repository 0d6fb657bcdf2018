"""Any number of cars on a track as a Gymnasium vector environment."""

from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from kuberacer.sim.actions import DEFAULT_ACTIONS, Actions, ActionSpec
from kuberacer.sim.camera import HEIGHT, WIDTH
from kuberacer.sim.episode import SimConfig
from kuberacer.sim.params import ParamArrays
from kuberacer.sim.race_sim import TRAINING, RaceSim
from kuberacer.sim.track import Track, load_track

Reward = Callable[[ParamArrays], np.ndarray]
FRAME = spaces.Box(0, 255, (HEIGHT, WIDTH, 1), np.uint8)


BANDS, BAND_REWARDS = np.array([0.1, 0.25, 0.5]), np.array([1.0, 0.5, 0.1, 1e-3])  # of the distance by the width


def follow_center_line(values: ParamArrays) -> np.ndarray:
    """Rewards (cars,): 1 on the centre line, less in two steps towards the border, next to nothing beyond it."""
    rewards = BAND_REWARDS[np.searchsorted(BANDS, values.distance_from_center / values.track_width)]
    return np.where(values.is_offtrack, 1e-3, rewards)


class RaceVectorEnv(VectorEnv[np.ndarray, np.ndarray, np.ndarray]):
    """num_envs cars, each alone on its own copy of the track.

    Observations (num_envs, 120, 160, 1) uint8. infos: "progress" (percent) and "status" (EpisodeStatus) of all cars;
    with AutoresetMode.SAME_STEP also "final_obs" of the cars that ended. copy=False returns the simulator's own frames,
    which the next step overwrites. reset(seed=...) starts all over; without one the cars begin their next episodes.
    """

    def __init__(
        self,
        track: Track | str,
        num_envs: int = 1,
        *,
        actions: ActionSpec = DEFAULT_ACTIONS,
        reward: Reward = follow_center_line,
        config: SimConfig = TRAINING,
        threads: int = 1,
        autoreset_mode: AutoresetMode = AutoresetMode.NEXT_STEP,
        copy: bool = True,
    ):
        self.num_envs, self.copy = num_envs, copy
        self.metadata = {"autoreset_mode": autoreset_mode, "render_modes": [], "render_fps": 15}
        self.actions, self.reward = Actions(actions), reward
        self.single_observation_space, self.single_action_space = FRAME, self.actions.space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        track = load_track(track) if isinstance(track, str) else track
        self.sim = RaceSim(track, num_envs, config=config, threads=threads)
        self._started = False

    def reset(
        self, *, seed: int | list[int] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """options {"reset_mask": (num_envs,) bool} resets these cars only."""
        number = int(np.random.SeedSequence(seed).generate_state(1)[0]) if isinstance(seed, list) else seed
        super().reset(seed=number)
        mask = (options or {}).get("reset_mask")
        if number is not None or not self._started:
            self.sim.restart(int(self.np_random.integers(2**31)))
            self._started = True
        else:
            self.sim.reset(mask)
        self.sim.render(mask)
        return self._observations(), self._infos()

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        sim, mode = self.sim, self.metadata["autoreset_mode"]
        ended = sim.terminated | sim.truncated
        sim.advance(*self.actions.decode(actions))
        rewards = np.array(self.reward(sim.values), dtype=np.float64)
        if mode is AutoresetMode.NEXT_STEP and ended.any():
            sim.reset(ended)
            rewards[ended] = 0.0
        terminated, truncated, infos = sim.terminated.copy(), sim.truncated.copy(), self._infos()
        if mode is AutoresetMode.SAME_STEP and (done := terminated | truncated).any():
            sim.render(done)
            infos |= self._final(done)
            sim.reset(done)
        sim.render()
        return self._observations(), rewards, terminated, truncated, infos

    def _observations(self) -> np.ndarray:
        frames = self.sim.frames[:, 0, ..., None]
        return frames.copy() if self.copy else frames

    def _infos(self) -> dict[str, Any]:
        every = np.ones(self.num_envs, np.bool_)
        return {
            "progress": self.sim.values.progress.copy(),
            "_progress": every,
            "status": self.sim.status.copy(),
            "_status": every,
        }

    def _final(self, done: np.ndarray) -> dict[str, Any]:
        """What Gymnasium's own vector environments add for the ended ones."""
        final = np.full(self.num_envs, None, dtype=object)
        for i in np.flatnonzero(done):
            final[i] = self.sim.frames[i, 0, ..., None].copy()
        return {"final_obs": final, "_final_obs": done, "final_info": self._infos(), "_final_info": done}
