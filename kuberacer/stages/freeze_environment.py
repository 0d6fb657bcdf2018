"""What freezing a policy of any environment has beside the race's: observations to check with, and policy.json."""

from pathlib import Path
from typing import Any

import numpy as np

from kuberacer.coach.environment_model import FILENAME, DiscreteActions, EnvironmentModel
from kuberacer.coach.frozen_names import CAR_OUTPUT, input_names, output_kind
from kuberacer.errors import UserError
from kuberacer.formats.policy import PolicyFile

SQUARE = 12


def is_environment(folder: Path) -> bool:
    return (folder / FILENAME).is_file()


def read_model(folder: Path) -> EnvironmentModel:
    """Raises UserError naming what is missing."""
    try:
        return EnvironmentModel.parse((folder / FILENAME).read_bytes())
    except OSError:
        raise UserError(
            f"{folder}: {FILENAME} is missing", "give a folder that train_environment has written"
        ) from None


def drawn(model: EnvironmentModel, count: int) -> np.ndarray:
    """(count, …) raw observations, uniform within their bounds; values without bounds are normal. Frames are of squares
    of SQUARE pixels: something for filters that look for edges."""
    seen, rng = model.observation, np.random.default_rng(0)
    if seen.dtype == "uint8":
        high, wide, channels = seen.shape
        squares = rng.integers(0, 256, (count, -(-high // SQUARE), -(-wide // SQUARE), channels), np.uint8)
        return squares.repeat(SQUARE, axis=1).repeat(SQUARE, axis=2)[:, :high, :wide]
    columns = [
        rng.normal(size=count) if low is None or high is None else rng.uniform(low, high, count)
        for low, high in zip(seen.low, seen.high, strict=True)
    ]
    return np.stack(columns, axis=1).astype(np.float32).reshape(count, *seen.shape)


def policy_file(model: EnvironmentModel, run: str = "", examples: tuple[dict, ...] = ()) -> PolicyFile:
    """What serving needs to know of a frozen graph of this environment."""
    (given,) = input_names(model)
    seen, done = model.observation, model.action
    action: dict[str, Any] = {"kind": done.kind, "meaning": list(done.meaning) if done.meaning else None}
    if isinstance(done, DiscreteActions):
        action |= {"n": done.n}
    else:
        action |= {"shape": list(done.shape), "low": list(done.low), "high": list(done.high)}
    return PolicyFile(
        run=run,
        environment=model.environment,
        framework="rl_coach",
        algorithm=model.algorithm,
        graph={"file": "model.pb", "input": given, "output": CAR_OUTPUT[model.algorithm]},
        observation={
            "shape": list(seen.shape),
            "dtype": seen.dtype,
            "low": 0 if seen.dtype == "uint8" else list(seen.low),
            "high": 255 if seen.dtype == "uint8" else list(seen.high),
            "meaning": list(seen.meaning) if seen.meaning else None,
        },
        action=action,
        output=output_kind(model),
        scaled=model.continuous,
        normalisation=None if model.normalisation is None else {**model.normalisation, "clip": None},
        preprocess=list(model.preprocess) or None,
        examples=examples,
    )
