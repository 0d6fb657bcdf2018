"""A checkpoint out of an MLflow run, to begin a training with: one of KubeRacer's, or as rl_coach has saved it.

It is other people's: files have checked names and sizes, and of the checkpoint tensors alone are read, by the names and
shapes of this training's own networks.
"""

import hashlib
import re
from pathlib import Path
from typing import Any

from kuberacer.coach import transfer
from kuberacer.coach.agent import Agent
from kuberacer.errors import UserError
from kuberacer.stages.mlflow_tracking import address_of, client_of, shown, telling

NAME = re.compile(r"(\d{1,7})_Step-(\d{1,12})\.ckpt")  # iteration, steps
RUN = re.compile(r"[\w-]{1,64}")


def begin_with(agent: Agent, address: str, run_id: str, checkpoint_id: str, folder: Path) -> dict[str, Any]:
    """Bring a fresh agent to where the checkpoint's training stood; what is told of it in the model card.

    Raises UserError naming run and checkpoint when it is not there, or does not fit the agent."""
    if not run_id or not checkpoint_id:
        raise UserError(
            f"of the checkpoint only the {'run' if run_id else 'checkpoint'} is given",
            "give both: CHECKPOINT_RUNID=<MLflow's run id> CHECKPOINT_ID=<N_Step-M.ckpt>",
        )
    prefix = fetch(address_of(address), run_id, checkpoint_id, folder)
    loaded = transfer.load_weights(agent, prefix)
    match = NAME.fullmatch(prefix.name)
    assert match is not None, "fetch has looked"
    agent.iteration, agent.steps_before = int(match[1]), int(match[2])
    with Path(f"{prefix}.data-00000-of-00001").open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "from": f"MLflow run {run_id}",
        "checkpoint": prefix.name,
        "iteration": agent.iteration,
        "steps": agent.steps_before,
        "optimizer_state": loaded.optimizer,
        "sha256": digest,
    }


def fetch(address: str, run_id: str, checkpoint_id: str, folder: Path) -> Path:
    """Download the checkpoint's tensors into a folder; its path without the parts' endings."""
    if not address:
        raise UserError(
            f"no MLflow is named that has the run {run_id}", "set MLFLOW_TRACKING_URI, or give it as a parameter"
        )
    name = checkpoint_id if checkpoint_id.endswith(".ckpt") else f"{checkpoint_id}.ckpt"
    if not NAME.fullmatch(name) or not RUN.fullmatch(run_id):
        raise UserError(
            f"no checkpoint {checkpoint_id[:80]!r} of a run {run_id[:80]!r} can be",
            "a checkpoint is named N_Step-M.ckpt, a run by MLflow's run id",
        )
    client = client_of(address)
    with telling(address):
        there = {entry.path: entry for entry in _listed(client, address, run_id, name)}
        wanted = {f"{name}{part}": most for part, most in transfer.MOST_BYTES.items()}
        if not wanted.keys() <= there.keys():
            names = sorted(path.removesuffix(".index") for path in there if path.endswith(".ckpt.index"))
            raise UserError(
                f"the MLflow run {run_id} at {shown(address)} has no checkpoint {name}",
                f"it has {', '.join(names[-5:])}"
                if names
                else "it has none: give a run whose training came to its end",
            )
        folder.mkdir(parents=True, exist_ok=True)
        for path, most in wanted.items():
            if (there[path].file_size or 0) > most:
                raise UserError(f"{path} of the MLflow run {run_id} has more than {most >> 20} MiB", "give another one")
            client.download_artifacts(run_id, path, str(folder))
            if (folder / path).is_symlink():
                raise UserError(f"{path} of the MLflow run {run_id} is a link", "give another one")
    return folder / name


def _listed(client: Any, address: str, run_id: str, name: str) -> list[Any]:
    from mlflow.exceptions import MlflowException

    try:
        return client.list_artifacts(run_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        raise UserError(
            f"there is no MLflow run {run_id} at {shown(address)}, for its checkpoint {name}",
            "give the run id that MLflow's page shows",
        ) from None
