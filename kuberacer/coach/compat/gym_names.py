"""`gym` as rl_coach knows it (0.12): gymnasium, with reset() -> observation, a 4-tuple step and seed()."""

import functools
import importlib
import types
from collections.abc import Callable
from typing import Any

import gymnasium

# Environment names that are made here and not by gymnasium: DeepRacer's, which presets name.
OWN_ENVIRONMENTS: dict[str, Callable[[], gymnasium.Env]] = {}


class OldCalls:
    """A gymnasium environment with the calls of gym 0.12."""

    def __init__(self, env: gymnasium.Env):
        self.env = env
        self._seed: int | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.env, name)

    @property
    def unwrapped(self) -> Any:
        return self.env.unwrapped

    def seed(self, seed: int | None = None) -> list[int | None]:
        self._seed = seed
        return [seed]

    def reset(self) -> Any:
        observation, _ = self.env.reset(seed=self._seed)
        self._seed = None
        return observation

    def step(self, action: Any) -> tuple[Any, float, bool, dict]:
        observation, reward, terminated, truncated, info = self.env.step(action)
        info = {**info, "TimeLimit.truncated": truncated and not terminated}
        return observation, float(reward), bool(terminated or truncated), info

    def render(self, mode: str = "human", **_: Any) -> Any:
        return self.env.render()


def _make(name: str, **options: Any) -> OldCalls:
    if name in OWN_ENVIRONMENTS:
        return OldCalls(OWN_ENVIRONMENTS[name]())
    return OldCalls(gymnasium.make(name, **options))


def _load(entry_point: str) -> Callable[..., OldCalls]:
    module, _, name = entry_point.partition(":")
    made = getattr(importlib.import_module(module), name)
    return lambda **options: OldCalls(made(**options))


@functools.cache
def _module() -> types.ModuleType:
    shim = types.ModuleType("kuberacer.coach.compat.gym")
    registration = types.SimpleNamespace(load=_load, EnvSpec=gymnasium.envs.registration.EnvSpec)
    shim.__dict__.update(
        __getattr__=lambda name: getattr(gymnasium, name),
        make=_make,
        logger=types.SimpleNamespace(set_level=lambda level: None),
        envs=types.SimpleNamespace(registration=registration),
    )
    return shim


MODULES = {"gym": _module}
