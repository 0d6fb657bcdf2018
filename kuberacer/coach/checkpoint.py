"""Saving and restoring an agent: TensorFlow's checkpoint files and the rest of its state as JSON."""

import json
from pathlib import Path
from typing import Any

from kuberacer.coach.checkpoint_files import POINTER, STATE, checkpoint_name, newest
from kuberacer.coach.compat.tensorflow_names import tf
from kuberacer.errors import UserError


def save(agent: Any, folder: Path) -> None:
    """Write the agent's variables, graph and state; `.coach_checkpoint` comes last."""
    folder.mkdir(parents=True, exist_ok=True)
    name = checkpoint_name(agent.iteration, agent.steps_before + agent.total_steps)
    prefix = str(folder / name)
    agent.coach.saver.save(agent.coach.session, prefix, write_meta_graph=False, write_state=False)
    Path(f"{prefix}.meta").write_bytes(agent.coach.meta_graph)
    (folder / STATE).write_text(json.dumps({"checkpoint": name, **agent.state()}) + "\n")
    (folder / POINTER).write_text(name)


def restore(agent: Any, folder: Path) -> None:
    """Bring the agent to where it was saved. Raises UserError naming what is missing or does not fit."""
    prefix = newest(folder)
    state = _read_state(folder, prefix.name)
    _check_variables(agent, prefix)
    agent.coach.saver.restore(agent.coach.session, str(prefix))
    agent.set_state(state)


def _read_state(folder: Path, name: str) -> dict[str, Any]:
    try:
        state = json.loads((folder / STATE).read_text())
    except (OSError, ValueError):
        raise UserError(
            f"{folder}: {STATE} is missing or damaged", "restore a checkpoint that train has written"
        ) from None
    if state.get("checkpoint") != name:
        raise UserError(
            f"{folder}: {STATE} belongs to {state.get('checkpoint')}, the checkpoint is {name}",
            "fetch the files of one checkpoint together",
        )
    return state


def _check_variables(agent: Any, prefix: Path) -> None:
    saved = tf.train.load_checkpoint(str(prefix)).get_variable_to_shape_map()
    for variable in agent.coach.saved_variables:
        shape = saved.get(variable.op.name)
        if shape != variable.shape.as_list():
            raise UserError(
                f"{prefix.name}: {variable.op.name} is {shape or 'missing'}, the agent has {variable.shape.as_list()}",
                "restore with the metadata, hyperparameters and preset that the checkpoint was made with",
            )
