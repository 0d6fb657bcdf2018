"""Weights from a checkpoint of somebody else's training into an agent.

Only tensors are read, by the names and shapes that the agent has itself: the checkpoint's graph (.meta) could hold any
operation, and is not opened. rl_coach on TensorFlow 1.15 names its variables as the agent does.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kuberacer.coach.algorithms import AGENT, ALGORITHMS
from kuberacer.coach.compat.tensorflow_names import tf
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.errors import UserError

MOST_BYTES = {".index": 4 << 20, ".data-00000-of-00001": 4 << 30}
OPTIMIZER = re.compile(r".*(/Adam(_1)?|/beta[12]_power(_\d+)?|/global_step)")


@dataclass(frozen=True)
class Loaded:
    """weights: variables that were taken. optimizer: whether the optimizer's state was there, too."""

    weights: int
    optimizer: bool


def load_weights(agent: Any, prefix: Path) -> Loaded:
    """Take a checkpoint's weights, and the optimizer's state where all of it is there.

    A target network that is not in the checkpoint (rl_coach leaves them out) becomes equal to its online network.
    Raises UserError naming what is missing, of another shape or type, or not finite; the agent is of no use then.
    """
    reader = open_checkpoint(prefix)
    shapes, kinds = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    sources, slots = {}, {}
    for variable in agent.coach.saved_variables:
        name = variable.op.name
        source = name if name in shapes else name.replace("/target/", "/online/")
        if OPTIMIZER.fullmatch(name):
            slots[variable] = source
        else:
            sources[variable] = source
    optimizer = all(source in shapes for source in slots.values())
    feed, initializers = {}, []
    for variable, source in (sources | (slots if optimizer else {})).items():
        _check(variable, shapes.get(source), kinds.get(source), source, prefix.name)
        value = _read(reader, source, prefix.name)
        if not np.all(np.isfinite(value)):
            raise UserError(f"{prefix.name}: {source} has values that are no numbers", "take another checkpoint")
        initializers.append(variable.initializer)
        feed[variable.initializer.inputs[1]] = value  # instead of what the initializer would assign
    agent.coach.session.run(initializers, feed)
    return Loaded(len(sources), optimizer)


def stack_size(prefix: Path, metadata: ModelMetadata) -> int:
    """How many time steps of the camera the checkpoint's network sees at once."""
    network = ALGORITHMS[metadata.algorithm].network
    name = f"{AGENT}/{network}/online/network_0/{metadata.camera}/Conv2d_0/kernel"
    shape = open_checkpoint(prefix).get_variable_to_shape_map().get(name)
    if shape is None or len(shape) != 4 or not 1 <= shape[2] // metadata.views <= 64 or shape[2] % metadata.views:
        raise UserError(
            f"{prefix.name}: {name} is {'missing' if shape is None else shape}; the metadata says {metadata.algorithm}"
            f" with {metadata.camera}",
            "give the model_metadata.json that the model was trained with",
        )
    return shape[2] // metadata.views


def open_checkpoint(prefix: Path) -> Any:
    """TensorFlow's reader of a checkpoint's tensors. Raises UserError for what is none."""
    for part, most in MOST_BYTES.items():
        path = Path(f"{prefix}{part}")
        if not path.is_file() or path.stat().st_size > most:
            what = "is missing" if not path.is_file() else f"is larger than {most >> 20} MiB"
            raise UserError(f"{path.name} {what}", "give a model that DeepRacer or KubeRacer has saved")
    try:
        return tf.train.load_checkpoint(str(prefix))
    except Exception as error:  # TensorFlow's and Python's own, by the kind of damage
        raise _damaged(prefix.name, error) from None


def _check(variable: Any, shape: list[int] | None, kind: Any, source: str, checkpoint: str) -> None:
    wanted = variable.shape.as_list()
    if shape != wanted:
        raise UserError(
            f"{checkpoint}: {source} is {'missing' if shape is None else shape}, this run's agent has {wanted}",
            "train with the model's own metadata (actions, sensors, network), algorithm, preset and stack_size",
        )
    if kind != variable.dtype.base_dtype:
        raise UserError(
            f"{checkpoint}: {source} is {kind.name}, this run's agent has {variable.dtype.base_dtype.name}",
            "give a model that DeepRacer or KubeRacer has saved",
        )


def _read(reader: Any, name: str, checkpoint: str) -> np.ndarray:
    try:
        return np.asarray(reader.get_tensor(name))
    except Exception as error:
        raise _damaged(checkpoint, error) from None


def _damaged(checkpoint: str, error: Exception) -> UserError:
    said = (str(error).strip() or type(error).__name__).splitlines()[0][:160]
    return UserError(f"{checkpoint} cannot be read: {said}", "fetch the whole checkpoint anew")
