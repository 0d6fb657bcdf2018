"""`policy.json` as the server reads it: what a policy sees, and what its network's outputs mean."""

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from kuberacer.errors import UserError
from kuberacer.formats.policy import FILENAME

MOST_VALUES = 10_000_000  # of one observation
MOST_ACTIONS = 10_000

Bound = float | None
Size = Annotated[int, Field(ge=1, le=MOST_VALUES)]


class _Part(BaseModel):
    """Keys that are not known are other programs' business."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Sensor(_Part):
    """One input of the network. low, high: of all values, or of each in C order; None: no bound.

    frames: so many grey pictures make the last axis, the oldest first; None: it is not made of grey pictures.
    """

    name: str = "observation"
    shape: Annotated[tuple[Size, ...], Field(min_length=1, max_length=3)]
    dtype: Literal["float32", "uint8"]
    low: Bound | tuple[Bound, ...] = None
    high: Bound | tuple[Bound, ...] = None
    meaning: tuple[str, ...] | None = None
    frames: int | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        values = math.prod(self.shape)
        if values > MOST_VALUES:
            raise ValueError(f"an observation of {self.shape}")
        for bound in (self.low, self.high, self.meaning):
            if isinstance(bound, tuple) and len(bound) != values:
                raise ValueError(f"{len(bound)} bounds or meanings of {values} values")
        if self.frames is not None and (self.frames != self.shape[-1] or not self.pictures):
            raise ValueError(f"{self.frames} frames in {self.shape} of {self.dtype}")
        return self

    @property
    def pictures(self) -> int:
        """How many pictures an observation may be given as; 0: only as numbers."""
        if self.dtype != "uint8" or len(self.shape) != 3:
            return 0
        if self.frames is not None:
            return self.frames
        return 1 if self.shape[-1] in (1, 3) else 0

    def expected(self) -> dict[str, Any]:
        """What people are told of it."""
        told = {"shape": list(self.shape), "dtype": self.dtype, "low": self.low, "high": self.high}
        return {**told, "meaning": self.meaning} if self.meaning else told


class Discrete(_Part):
    """One of n actions. values: numbers by their names, of each action."""

    kind: Literal["discrete"]
    n: Annotated[int, Field(ge=1, le=MOST_ACTIONS)]
    meaning: tuple[str, ...] | None = None
    values: tuple[dict[str, float], ...] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for each in (self.meaning, self.values):
            if each is not None and len(each) != self.n:
                raise ValueError(f"{len(each)} meanings or values of {self.n} actions")
        return self

    @property
    def outputs(self) -> int:
        """How many numbers the network gives."""
        return self.n


class Continuous(_Part):
    """low, high, meaning: of each axis, in C order."""

    kind: Literal["continuous"]
    shape: Annotated[tuple[Size, ...], Field(min_length=1)]
    low: tuple[float, ...]
    high: tuple[float, ...]
    meaning: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for each in (self.low, self.high, self.meaning):
            if each is not None and len(each) != self.outputs:
                raise ValueError(f"{len(each)} bounds or meanings of {self.outputs} axes")
        if self.outputs > MOST_ACTIONS:
            raise ValueError(f"{self.outputs} axes")
        return self

    @property
    def outputs(self) -> int:
        return math.prod(self.shape)


class Normalisation(_Part):
    """(value - mean) / std, then at most `clip` away from 0. mean, std: of each value, in C order."""

    mean: tuple[float, ...]
    std: tuple[Annotated[float, Field(gt=0)], ...]
    clip: Annotated[float, Field(gt=0)] | None = None


class Several(_Part):
    inputs: Annotated[tuple[Sensor, ...], Field(min_length=2)]


class Policy(_Part):
    version: Literal[1]
    run: str = ""
    environment: str
    framework: str
    algorithm: str
    observation: Sensor | Several
    action: Annotated[Discrete | Continuous, Field(discriminator="kind")]
    output: Literal["logits", "probabilities", "q_values", "mean", "action"]
    scaled: bool = False
    normalisation: Normalisation | None = None
    preprocess: tuple[str, ...] | None = None
    examples: tuple[dict[str, Any], ...] = ()

    @classmethod
    def parse(cls, text: bytes | str) -> Self:
        """Raises UserError for what is no policy.json, or one of a version that this server does not know."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "it"
            raise UserError(f"{FILENAME}: {where}: {first['msg']}", "publish the run again") from None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        numbers = self.normalisation
        if numbers is not None:
            size = math.prod(self.sensors[0].shape)
            if len(self.sensors) > 1 or len(numbers.mean) != size or len(numbers.std) != size:
                raise ValueError("normalisation is not for this observation")
        if self.preprocess and (len(self.sensors) > 1 or numbers is not None):
            raise ValueError("preprocess is for one sensor, and instead of normalisation")
        if self.scaled and isinstance(self.action, Discrete):
            raise ValueError("discrete actions that are scaled")
        return self

    @property
    def sensors(self) -> tuple[Sensor, ...]:
        return (self.observation,) if isinstance(self.observation, Sensor) else self.observation.inputs

    def expected(self) -> dict[str, Any]:
        """What people are told of the observation."""
        if isinstance(self.observation, Sensor):
            return self.observation.expected()
        return {sensor.name: sensor.expected() for sensor in self.sensors}

    def predictions(self, outputs: np.ndarray) -> list[dict[str, Any]]:
        """What to do by each row of the network's outputs: (N, …)."""
        rows = np.asarray(outputs, np.float64).reshape(len(outputs), -1)
        if isinstance(self.action, Discrete):
            chosen = rows[:, 0].round().astype(int) if self.output == "action" else rows.argmax(axis=1)
            return [self._discrete(int(best), row) for best, row in zip(chosen, rows, strict=True)]
        if self.output == "logits":  # means, then deviations
            rows = rows[:, : self.action.outputs]
        low, high = (np.array(bound) for bound in (self.action.low, self.action.high))
        actions = low + (rows.clip(-1, 1) + 1) / 2 * (high - low) if self.scaled else rows.clip(low, high)
        return [self._continuous(action, row) for action, row in zip(actions, rows, strict=True)]

    def _discrete(self, best: int, row: np.ndarray) -> dict[str, Any]:
        assert isinstance(self.action, Discrete)
        found: dict[str, Any] = {"action": best}
        if self.action.meaning:
            found["meaning"] = self.action.meaning[best]
        if self.action.values:
            found["values"] = self.action.values[best]
        return found if self.output == "action" else {**found, self.output: _plain(row)}

    def _continuous(self, action: np.ndarray, row: np.ndarray) -> dict[str, Any]:
        assert isinstance(self.action, Continuous)
        flat = _plain(action)
        found: dict[str, Any] = {"action": np.reshape(flat, self.action.shape).tolist()}
        if self.action.meaning:
            found["values"] = dict(zip(self.action.meaning, flat, strict=True))
        return found if self.output == "action" else {**found, self.output: _plain(row)}

    def agrees(self, prediction: dict[str, Any], action: Any) -> bool:
        """Whether a prediction is the action of an example: the same one of n, or within a thousandth of the axes'
        range."""
        if isinstance(self.action, Discrete):
            return prediction["action"] == action
        given = np.asarray(action, np.float64).reshape(-1)
        scale = np.array(self.action.high) - np.array(self.action.low)
        found = np.asarray(prediction["action"], np.float64).reshape(-1)
        return given.shape == found.shape and bool((np.abs(found - given) <= 1e-3 * np.maximum(scale, 1e-6)).all())


def _plain(numbers: Sequence[float] | np.ndarray) -> list[float]:
    """In float32's seven digits."""
    return [float(f"{number:.7g}") for number in numbers]
