"""`environment.json`: what a policy of any Gymnasium environment sees and does; `model_metadata.json` in a race.

Observations are boxes of float32, or frames (rows, columns, channels) of bytes; actions are one of n, or a box.
"""

import json
import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np
from gymnasium import spaces
from pydantic import BaseModel, ConfigDict, ValidationError

from kuberacer.coach.sensors import Input
from kuberacer.errors import UserError
from kuberacer.preprocess import Preprocess

FILENAME = "environment.json"
INPUT = "observation"  # what rl_coach's presets call it
MOST_VALUES = 10_000_000  # of one observation

Bounds = tuple[float | None, ...]  # a value each, None: no bound
Parameter = bool | int | float | str  # of an environment


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ObservationSpace(_Part):
    """low, high: of each value, in C order; of frames one for all."""

    shape: tuple[int, ...]
    dtype: Literal["float32", "uint8"]
    low: Bounds
    high: Bounds
    meaning: tuple[str, ...] | None = None


class DiscreteActions(_Part):
    kind: Literal["discrete"] = "discrete"
    n: int
    meaning: tuple[str, ...] | None = None


class ContinuousActions(_Part):
    kind: Literal["continuous"] = "continuous"
    shape: tuple[int, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    meaning: tuple[str, ...] | None = None


class EnvironmentModel(_Part):
    """A policy's environment. environment: a short name, a Gymnasium id, or module:Class; parameters: what it is made
    with. preprocess: what the preset's filters make of an observation, as in policy.json."""

    environment: str
    algorithm: str
    observation: ObservationSpace
    action: DiscreteActions | ContinuousActions
    preprocess: tuple[str, ...] = ()
    parameters: dict[str, Parameter] = {}
    version: Literal[1] = 1

    @classmethod
    def of(
        cls,
        environment: str,
        algorithm: str,
        seen: Any,
        done: Any,
        meanings: Mapping[str, Any] | None = None,
        *,
        preprocess: tuple[str, ...] = (),
        parameters: Mapping[str, Parameter] | None = None,
    ) -> Self:
        """From a Gymnasium environment's two spaces. meanings: {"observation": names, "action": names}, if known.

        Raises UserError for spaces, or results of filters, that no learner takes.
        """
        meanings = meanings or {}
        model = cls(
            environment=environment,
            algorithm=algorithm,
            observation=_observation(environment, seen, meanings.get("observation")),
            action=_action(environment, done, meanings.get("action")),
            preprocess=preprocess,
            parameters=dict(parameters or {}),
        )
        shape, dtype = model.seen
        if len(shape) not in (1, 3) or dtype != (np.uint8 if len(shape) == 3 else np.float32):
            raise UserError(
                f"preset: its filters make {dtype} of {tuple(shape)} of an observation",
                "end with frames (rows, columns, channels) of bytes, as ObservationToUInt8Filter makes them,"
                " or with one axis of float32",
            )
        return model

    @classmethod
    def parse(cls, text: str | bytes) -> Self:
        """Raises UserError for what is no environment.json."""
        try:
            found = cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise UserError(f"{FILENAME}: {where}: {first['msg']}", "give the file that train has written") from None
        if math.prod(found.observation.shape) > MOST_VALUES:
            raise UserError(f"{FILENAME}: an observation of {found.observation.shape}", "give one that fits the memory")
        Preprocess.parse(found.preprocess)
        return found

    def to_json(self) -> str:
        return json.dumps(self.model_dump(), indent=1) + "\n"

    @property
    def continuous(self) -> bool:
        return isinstance(self.action, ContinuousActions)

    @property
    def actions(self) -> int:
        return self.action.n if isinstance(self.action, DiscreteActions) else math.prod(self.action.shape)

    @property
    def camera(self) -> str:
        return INPUT

    @property
    def lidar(self) -> None:
        return None

    @property
    def sensors(self) -> tuple[str, ...]:
        return (INPUT,)

    @property
    def views(self) -> int:
        return 1

    def inputs(self, stack: int) -> tuple[Input, ...]:
        """Frames are not stacked: an environment that wants it wraps itself in Gymnasium's FrameStackObservation."""
        return (Input(INPUT, self.observation.shape),)

    @cached_property
    def _filters(self) -> Preprocess:
        return Preprocess.parse(self.preprocess)

    @property
    def seen(self) -> tuple[tuple[int, ...], np.dtype]:
        """(shape, type) of what the network sees of one observation."""
        return self._filters.shape_of(self.observation.shape, self.observation.dtype)

    @property
    def normalisation(self) -> dict[str, list[float]] | None:
        """{"mean", "std"} of each value, which bring bounded values to -1..1 and leave others; None for frames, and
        where the preset's filters say what the network sees.

        Fixed by the bounds and not learned: nothing that a checkpoint or a server would have to keep in step.
        """
        if self.observation.dtype == "uint8" or self.preprocess:
            return None
        pairs = list(zip(self.observation.low, self.observation.high, strict=True))
        bounded = [
            (low, high) if low is not None and high is not None and _told_apart(low, high) else None
            for low, high in pairs
        ]
        return {
            "mean": [(pair[0] + pair[1]) / 2 if pair else 0.0 for pair in bounded],
            "std": [(pair[1] - pair[0]) / 2 if pair else 1.0 for pair in bounded],
        }

    def normalised(self, observations: np.ndarray) -> np.ndarray:
        """What the network sees of raw observations (N, …): float32, or frames of bytes."""
        observations = np.asarray(observations, self.observation.dtype)
        if self.preprocess:
            return self._filters(observations)
        if (numbers := self.normalisation) is None:
            return observations
        mean, std = (np.array(numbers[name], np.float32).reshape(self.observation.shape) for name in ("mean", "std"))
        return (observations - mean) / std

    def decode(self, actions: np.ndarray) -> np.ndarray:
        """The environment's actions for the agent's: integers as they are; axes in -1..1 clipped and scaled."""
        if isinstance(self.action, DiscreteActions):
            return np.asarray(actions, np.int64)
        low, high = (np.array(bound, np.float32) for bound in (self.action.low, self.action.high))
        scaled = low + (np.clip(np.asarray(actions, np.float32), -1, 1) + 1) / 2 * (high - low)
        return np.clip(scaled, low, high).reshape(-1, *self.action.shape)  # rounding may pass a bound


def _observation(environment: str, space: Any, meaning: Any) -> ObservationSpace:
    if not isinstance(space, spaces.Box) or len(space.shape) not in (1, 3):
        raise UserError(
            f"{environment}: its observations are {space}",
            "a Box of one axis, or of frames (rows, columns, channels); wrap it in gymnasium's FlattenObservation",
        )
    if len(space.shape) == 3:
        if space.dtype != np.uint8:
            raise UserError(f"{environment}: its frames are {space.dtype}", "give frames as uint8, 0 to 255")
        return ObservationSpace(shape=space.shape, dtype="uint8", low=(0.0,), high=(255.0,))
    bounds = [
        tuple(float(value) if math.isfinite(value) and abs(value) < 1e30 else None for value in bound.ravel())
        for bound in (space.low, space.high)
    ]
    return ObservationSpace(shape=space.shape, dtype="float32", low=bounds[0], high=bounds[1], meaning=meaning)


def _action(environment: str, space: Any, meaning: Any) -> DiscreteActions | ContinuousActions:
    if isinstance(space, spaces.Discrete) and space.start == 0:
        return DiscreteActions(n=int(space.n), meaning=meaning)
    if isinstance(space, spaces.Box) and np.isfinite(space.low).all() and np.isfinite(space.high).all():
        low, high = (tuple(float(value) for value in bound.ravel()) for bound in (space.low, space.high))
        return ContinuousActions(shape=space.shape, low=low, high=high, meaning=meaning)
    raise UserError(
        f"{environment}: its actions are {space}", "give Discrete(n) or a Box with bounds; gymnasium has wrappers"
    )


def _told_apart(low: float, high: float) -> bool:
    """Whether float32, in which is computed, has room between them."""
    return high - low > max(1e-5 * max(abs(low), abs(high)), 1e-30)
