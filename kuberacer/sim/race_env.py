"""One car on a track as a Gymnasium environment.

gymnasium.make("kuberacer.sim.race_env:KubeRacer/Race-v0", track="hairpin"); make_vec makes a RaceVectorEnv.
"""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np

from kuberacer.sim.actions import DEFAULT_ACTIONS, Actions, ActionSpec
from kuberacer.sim.episode import SimConfig
from kuberacer.sim.params import ParamArrays
from kuberacer.sim.picture import CarPose, TopView
from kuberacer.sim.race_sim import TRAINING, RaceSim
from kuberacer.sim.race_vector_env import FRAME, follow_center_line
from kuberacer.sim.track import Track, load_track

PICTURE_SIZE = (640, 480)


class RaceEnv(gymnasium.Env[np.ndarray, Any]):
    """Observation (120, 160, 1) uint8; info: "progress" (percent) and "status" (EpisodeStatus' name).

    reset(seed=...) starts all over; without a seed the next episode begins. render() is the track from above.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 15}  # noqa: RUF012 - as Gymnasium declares it

    def __init__(
        self,
        track: Track | str,
        *,
        actions: ActionSpec = DEFAULT_ACTIONS,
        reward: Callable[[ParamArrays], np.ndarray] = follow_center_line,
        config: SimConfig = TRAINING,
        render_mode: str | None = None,
    ):
        self.actions, self.reward, self.render_mode = Actions(actions), reward, render_mode
        self.observation_space, self.action_space = FRAME, self.actions.space
        self.track = load_track(track) if isinstance(track, str) else track
        self.sim = RaceSim(self.track, 1, config=config)
        self._started = False
        self._view: TopView | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        if seed is not None or not self._started:
            self.sim.restart(int(self.np_random.integers(2**31)))
            self._started = True
        else:
            self.sim.reset()
        self.sim.render()
        return self._observation(), self._info()

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        sim = self.sim
        sim.advance(*self.actions.decode(np.asarray(action)[None]))
        reward = float(self.reward(sim.values)[0])
        sim.render()
        return self._observation(), reward, bool(sim.terminated[0]), bool(sim.truncated[0]), self._info()

    def render(self) -> np.ndarray | None:  # type: ignore[override]
        if self.render_mode is None:
            return None
        if self._view is None:
            self._view = TopView(self.track, *PICTURE_SIZE)
        values = self.sim.values
        return self._view.frame([CarPose(float(values.x[0]), float(values.y[0]), float(values.heading[0]))])

    def _observation(self) -> np.ndarray:
        return self.sim.frames[0, 0, ..., None].copy()

    def _info(self) -> dict[str, Any]:
        return {"progress": float(self.sim.values.progress[0]), "status": self.sim.status_name(0)}


gymnasium.register(
    "KubeRacer/Race-v0", f"{__name__}:RaceEnv", vector_entry_point="kuberacer.sim.race_vector_env:RaceVectorEnv"
)
