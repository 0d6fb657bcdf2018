"""What freezing a race's policy has beside other environments': what cars see around a lap, and policy.json with it."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from kuberacer.coach.frozen_names import CAR_OUTPUT, input_names, output_kind
from kuberacer.coach.frozen_policy import FrozenPolicy
from kuberacer.coach.metadata import ContinuousActions, ModelMetadata
from kuberacer.coach.sensors import CLIPPED_METRES, Input, Observation, arrays
from kuberacer.errors import UserError
from kuberacer.formats.policy import PolicyFile
from kuberacer.rollout.frame_stack import Observations
from kuberacer.sim.race_sim import RaceSim
from kuberacer.sim.track import load_track

METADATA = "model_metadata.json"
CHECK_TRACK = "kidney"  # any: the frames only have to look like what the camera sees
EXAMPLES = 3


def read_metadata(checkpoint: Path) -> ModelMetadata:
    try:
        return ModelMetadata.parse((checkpoint / METADATA).read_text(encoding="utf-8"))
    except OSError:
        raise UserError(
            f"{checkpoint}: {METADATA} is missing", "give the folder that the train stage has written"
        ) from None


def stack_size_of(model: Path, metadata: ModelMetadata) -> int:
    policy = FrozenPolicy(model, metadata)
    try:
        return policy.stack_size
    finally:
        policy.close()


def around_a_lap(metadata: ModelMetadata, stack_size: int, cars: int) -> Observation:
    """What so many cars see that are spread over a lap."""
    sim = RaceSim(load_track(CHECK_TRACK), cars, sensors=metadata.sensors)
    sim.reset()
    sim.render()
    return Observations(sim, metadata, stack_size).current


def policy_file(metadata: ModelMetadata, seen: Observation, outputs: np.ndarray) -> PolicyFile:
    """What serving needs to know of this graph. outputs: what it said of what was `seen`."""
    stack_size = arrays(seen)[0].shape[-1] // metadata.views
    inputs = [_input(metadata, given) for given in metadata.inputs(stack_size)]
    return PolicyFile(
        run="",
        environment="race",
        framework="rl_coach",
        algorithm=metadata.algorithm,
        graph={
            "file": "model.pb",
            "input": input_names(metadata)[0],
            "output": CAR_OUTPUT[metadata.algorithm],
        },
        observation=inputs[0] if len(inputs) == 1 else {"inputs": inputs},
        action=_action(metadata),
        output=output_kind(metadata),
        scaled=metadata.continuous,
        examples=_examples(metadata, seen, outputs),
    )


def _input(metadata: ModelMetadata, given: Input) -> dict[str, Any]:
    if given.dtype == np.uint8:
        bounds: dict[str, Any] = {"low": 0, "high": 255, "frames": given.shape[-1]}
    elif metadata.lidar_sectors:
        bounds = {"low": 0, "high": 1}
    else:
        bounds = dict(zip(("low", "high"), CLIPPED_METRES, strict=True))
    return {"name": given.name, "shape": list(given.shape), "dtype": np.dtype(given.dtype).name, **bounds}


def _action(metadata: ModelMetadata) -> dict[str, Any]:
    if isinstance(space := metadata.action_space, ContinuousActions):
        low, high = zip(space.steering_angle, space.speed, strict=True)
        names = ["steering_angle", "speed"]
        return {"kind": "continuous", "shape": [2], "low": list(low), "high": list(high), "meaning": names}
    values = [{"steering_angle": action.steering_angle, "speed": action.speed} for action in space]
    return {"kind": "discrete", "n": len(values), "meaning": None, "values": values}


def _examples(metadata: ModelMetadata, seen: Observation, outputs: np.ndarray) -> tuple[dict[str, Any], ...]:
    """Some of what was seen, camera frames as PNG, and what the car then does."""
    if metadata.continuous:
        actions = np.stack(metadata.decode(outputs), axis=1).tolist()
    else:
        actions = outputs.argmax(axis=1).tolist()
    rows = np.linspace(0, len(outputs) - 1, EXAMPLES).astype(int)
    return tuple({"observation": _told(metadata, seen, row), "action": actions[row]} for row in rows)


def _told(metadata: ModelMetadata, seen: Observation, row: int) -> Any:
    camera, *lidar = (array[row] for array in arrays(seen))
    frames = {"image": [_png(camera[..., number]) for number in range(camera.shape[-1])]}
    return dict(zip(metadata.sensors, (frames, lidar[0].tolist()), strict=True)) if lidar else frames


def _png(frame: np.ndarray) -> str:
    written = io.BytesIO()
    Image.fromarray(frame).save(written, "PNG")
    return base64.b64encode(written.getvalue()).decode("ascii")
