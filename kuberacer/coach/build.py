"""From metadata, hyperparameters and perhaps a user's preset to an agent that plays and learns."""

import os

from kuberacer.coach import deepracer_preset, exploration
from kuberacer.coach.actor_agent import ActorAgent
from kuberacer.coach.agent import Agent
from kuberacer.coach.algorithms import ALGORITHMS, WITHOUT_PRESET
from kuberacer.coach.coach_graph import build_graph
from kuberacer.coach.compat.tensorflow_names import without_noise
from kuberacer.coach.hyperparameters import Hyperparameters
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.coach.ppo import ClippedPPO
from kuberacer.coach.sac import SAC
from kuberacer.coach.session import resolve_precision
from kuberacer.coach.user_preset import Preset
from kuberacer.coach.value_agent import ValueAgent
from kuberacer.errors import UserError


def agent_class(algorithm: str) -> type[Agent]:
    """What plays and trains rl_coach's networks of this algorithm."""
    if ALGORITHMS[algorithm].network == "actor":
        return ActorAgent
    return {"clipped_ppo": ClippedPPO, "sac": SAC}.get(algorithm, ValueAgent)


def build_agent(
    metadata: ModelMetadata,
    hyper: Hyperparameters,
    *,
    cars: int,
    seed: int = 0,
    preset: Preset | None = None,
    threads: int | None = None,
    precision: str | None = None,
) -> Agent:
    """An agent for `cars` cars stepped together.

    preset: the user's (see user_preset.py); None: what the hyperparameters say.
    threads: of TensorFlow; None: all that this process may use. precision: None takes the hyperparameter.
    Raises UserError when the parts do not fit each other.
    """
    if hyper.algorithm != metadata.algorithm:
        raise UserError(
            f"the hyperparameters are for {hyper.algorithm}, the model metadata for {metadata.algorithm}",
            "give both for one algorithm",
        )
    if preset is not None:
        manager, inputs = preset.graph_manager(metadata, hyper)
    elif metadata.algorithm not in WITHOUT_PRESET:
        raise UserError(
            f"{metadata.algorithm} is trained with a preset only",
            f"give PRESET=presets/{metadata.algorithm}.py, or ALGORITHM as one of: {', '.join(WITHOUT_PRESET)}",
        )
    else:
        manager, inputs = deepracer_preset.graph_manager(metadata, hyper), metadata.inputs(hyper["stack_size"])
    exploration.check(manager.agent_params.exploration, metadata.algorithm, metadata.continuous)
    batch_size = next(iter(manager.agent_params.network_wrappers.values())).batch_size
    with without_noise():  # of the graph's first calls
        coach = build_graph(
            manager,
            metadata,
            inputs=inputs,
            seed=seed,
            threads=threads or len(os.sched_getaffinity(0)),
            precision=resolve_precision(precision or hyper["precision"], batch_size),
        )
        return agent_class(metadata.algorithm)(coach, metadata, hyper, cars, seed)
