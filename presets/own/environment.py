"""A template of an environment of one's own: a cart on a rail is to come to a mark and to stand there.

Copy the file and change it. What is needed is Gymnasium's interface: two spaces, `reset`, `step`, and `render` for
pictures; nothing of KubeRacer is imported.

    make run-pipeline PIPELINE=mountain_car ENVIRONMENT=presets/own/environment.py:Rail PRESET=presets/own/preset.py
"""

from typing import Any, ClassVar

import gymnasium
import numpy as np

STEP_S = 0.1
PUSH = 1.0  # m/s^2
LENGTH = 2.0  # m to both sides
LONGEST = 100  # steps


class Rail(gymnasium.Env):
    """Observation: where the cart is, m from the middle; its speed, m/s; where the mark is. Actions: push it back,
    nothing, push it on. Reward: minus the distance from the mark and a little of the speed; -10 for the rail's end."""

    metadata: ClassVar = {"render_modes": ["rgb_array"]}
    # What the numbers mean, for the model card and for who asks the policy; may be left out.
    meanings: ClassVar = {"observation": ("position", "speed", "mark"), "action": ("back", "nothing", "on")}

    def __init__(self, render_mode: str | None = None):
        self.render_mode = render_mode
        most = np.array([LENGTH, 2.0, LENGTH], np.float32)
        self.observation_space = gymnasium.spaces.Box(-most, most, dtype=np.float32)
        self.action_space = gymnasium.spaces.Discrete(3)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)  # draw from self.np_random only: one seed, one episode
        self.position, self.mark = self.np_random.uniform(-1.5, 1.5, 2)
        self.speed, self.steps = 0.0, 0
        return self._seen(), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict]:
        self.speed = float(np.clip(self.speed + (int(action) - 1) * PUSH * STEP_S, -2, 2))
        self.position += self.speed * STEP_S
        self.steps += 1
        over = abs(self.position) > LENGTH
        self.position = float(np.clip(self.position, -LENGTH, LENGTH))
        reward = -10.0 if over else -abs(self.position - self.mark) - 0.1 * abs(self.speed)
        return self._seen(), float(reward), over, self.steps >= LONGEST, {}

    def render(self) -> np.ndarray:
        """(40, 200, 3) uint8."""
        picture = np.full((40, 200, 3), 255, np.uint8)
        picture[30:32] = 60
        for place, color, top in ((self.mark, (30, 140, 60), 8), (self.position, (200, 60, 40), 20)):
            across = round((place + LENGTH) / (2 * LENGTH) * 188) + 6
            picture[top:30, across - 5 : across + 5] = color
        return picture

    def _seen(self) -> np.ndarray:
        return np.array([self.position, self.speed, self.mark], np.float32)
