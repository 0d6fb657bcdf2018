"""A small environment as a user would write it: walk to the right end of a line."""

import gymnasium
import numpy as np


class Line(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-2.0, 2.0, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, render_mode=None):
        self.render_mode = render_mode

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place, self.steps = float(self.np_random.uniform(-1, 0)), 0
        return np.array([self.place], np.float32), {}

    def step(self, action):
        self.place = float(np.clip(self.place + (0.25 if action == 1 else -0.25), -2, 2))
        self.steps += 1
        return np.array([self.place], np.float32), -1.0, self.place >= 1, self.steps >= 20, {}

    def render(self):
        picture = np.zeros((20, 80, 3), np.uint8)
        picture[:, int((self.place + 2) / 4 * 76) :][:, :4] = 255
        return picture
