"""From metadata, hyperparameters and perhaps a user's preset to an agent that plays and learns."""

import os

from kuberacer.coach import deepracer_preset, user_preset
from kuberacer.coach.agent import Agent
from kuberacer.coach.coach_graph import build_graph
from kuberacer.coach.dqn import DQN
from kuberacer.coach.hyperparameters import Hyperparameters
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.coach.ppo import ClippedPPO
from kuberacer.coach.sac import SAC
from kuberacer.coach.session import resolve_precision
from kuberacer.errors import UserError

AGENTS: dict[str, type[Agent]] = {"clipped_ppo": ClippedPPO, "sac": SAC, "dqn": DQN}


def build_agent(
    metadata: ModelMetadata,
    hyper: Hyperparameters,
    *,
    cars: int,
    seed: int = 0,
    preset: str | None = None,
    threads: int | None = None,
    precision: str | None = None,
) -> Agent:
    """An agent for `cars` cars stepped together.

    preset: a user's Python source (see user_preset.py); None: what the hyperparameters say.
    threads: of TensorFlow; None: all that this process may use. precision: None takes the hyperparameter.
    Raises UserError when the parts do not fit each other.
    """
    if hyper.algorithm != metadata.algorithm:
        raise UserError(
            f"the hyperparameters are for {hyper.algorithm}, the model metadata for {metadata.algorithm}",
            "give both for one algorithm",
        )
    if preset is not None and preset.strip():
        manager, inputs = user_preset.graph_manager(preset, metadata, hyper)
    else:
        manager, inputs = deepracer_preset.graph_manager(metadata, hyper), metadata.inputs(hyper["stack_size"])
    batch_size = next(iter(manager.agent_params.network_wrappers.values())).batch_size
    coach = build_graph(
        manager,
        metadata,
        inputs=inputs,
        seed=seed,
        threads=threads or len(os.sched_getaffinity(0)),
        precision=resolve_precision(precision or hyper["precision"], batch_size),
    )
    return AGENTS[metadata.algorithm](coach, metadata, hyper, cars, seed)
