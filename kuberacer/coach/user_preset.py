"""A user's own preset: Python in rl_coach's dialect.

It defines `graph_manager`, or `get_graph_manager(**hyperparameters)` that returns one (or a tuple that begins with it).

DeepRacer's presets name their environment DeepRacerRacetrackCustomActionSpaceEnv-v0 and their input `observation`;
they stand for this simulator and the metadata's camera. With a lidar, every network has an input of its name too.
What a preset says of networks, losses, exploration and rhythm holds; its schedule (heatup, evaluation) does not, since
playing and evaluating are KubeRacer's.
"""

import re
import traceback
from collections import OrderedDict
from dataclasses import replace
from typing import Any

from rl_coach.environments.gym_environment import GymEnvironmentParameters
from rl_coach.filters.observation.observation_rgb_to_y_filter import ObservationRGBToYFilter
from rl_coach.filters.observation.observation_stacking_filter import ObservationStackingFilter
from rl_coach.graph_managers.basic_rl_graph_manager import BasicRLGraphManager

from kuberacer.coach.compat.hook import load_source
from kuberacer.coach.hyperparameters import Hyperparameters
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.coach.sensors import FRAME, Input
from kuberacer.errors import UserError

FILENAME = "preset.py"
DEEPRACER_INPUT = "observation"
AGENTS = {
    "rl_coach.agents.clipped_ppo_agent:ClippedPPOAgent": "clipped_ppo",
    "rl_coach.agents.soft_actor_critic_agent:SoftActorCriticAgent": "sac",
    "rl_coach.agents.dqn_agent:DQNAgent": "dqn",
}


def graph_manager(source: str, metadata: ModelMetadata, hyper: Hyperparameters) -> tuple[Any, tuple[Input, ...]]:
    """(the preset's graph manager, the inputs that its environment is to give).

    Raises UserError naming the line of a fault in the source, or what does not fit.
    """
    manager = _executed(source, hyper)
    if not isinstance(manager, BasicRLGraphManager):
        raise UserError(
            f"preset: graph_manager is {type(manager).__name__}", "make it a BasicRLGraphManager (one agent, one level)"
        )
    algorithm = AGENTS.get(manager.agent_params.path)
    if algorithm != metadata.algorithm:
        asked = f"the run's algorithm is {metadata.algorithm}"
        raise UserError(
            f"preset: it makes {manager.agent_params.path.partition(':')[2]}, {asked}",
            f"set ALGORITHM={algorithm}" if algorithm else f"use one of: {', '.join(sorted(AGENTS.values()))}",
        )
    if not isinstance(manager.env_params, GymEnvironmentParameters):
        raise UserError(f"preset: env_params is {type(manager.env_params).__name__}", "use GymVectorEnvironment")
    _name_inputs(manager.agent_params, metadata)
    camera, *lidar = metadata.inputs(hyper["stack_size"])
    return manager, (_as_filtered(camera, metadata.views, manager.agent_params.input_filter), *lidar)


def _executed(source: str, hyper: Hyperparameters) -> Any:
    try:
        module = load_source(source, "kuberacer_user_preset", FILENAME)
        if hasattr(module, "graph_manager"):
            return module.graph_manager
        if not hasattr(module, "get_graph_manager"):
            raise UserError(f"{FILENAME}: defines neither graph_manager nor get_graph_manager", "define one of the two")
        made = module.get_graph_manager(**{key: value for key, value in hyper.values.items() if value is not None})
    except UserError:
        raise
    except SyntaxError as error:
        raise UserError(f"{FILENAME}, line {error.lineno}: {error.msg}", "mend the preset's source") from None
    except Exception as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == FILENAME]
        where = f", line {lines[-1]}" if lines else ""
        said = re.sub(r"\s+", " ", str(error))
        raise UserError(f"{FILENAME}{where}: {type(error).__name__}: {said}", "mend the preset's source") from error
    return made[0] if isinstance(made, tuple) else made


def _name_inputs(parameters: Any, metadata: ModelMetadata) -> None:
    """Call the networks' camera input, and its filters, as the metadata's camera is."""
    names = {DEEPRACER_INPUT: metadata.camera}
    wanted = {metadata.camera, metadata.lidar} - {None}
    for network in parameters.network_wrappers.values():
        inputs = network.input_embedders_parameters
        renamed = {names.get(name, name): embedder for name, embedder in inputs.items()}
        if set(renamed) != wanted or len(renamed) != len(inputs):
            needed = " and ".join((DEEPRACER_INPUT, *metadata.sensors[1:]))
            raise UserError(
                f"preset: a network has the inputs {', '.join(inputs)}; sensor is {', '.join(metadata.sensors)}",
                f"give every network the input{'s' if metadata.lidar else ''} {needed}, or change sensor",
            )
        network.input_embedders_parameters = renamed
    filters = parameters.input_filter.observation_filters
    parameters.input_filter.observation_filters = OrderedDict(
        (names.get(name, name), value) for name, value in filters.items()
    )


def _as_filtered(camera: Input, views: int, input_filter: Any) -> Input:
    """What the filters expect: colour where they make grey of it, one frame where they stack."""
    kinds = [type(entry) for entry in input_filter.observation_filters.get(camera.name, {}).values()]
    grey, stacked = ObservationRGBToYFilter in kinds, ObservationStackingFilter in kinds
    if views > 1 and (grey or stacked):
        raise UserError(
            f"preset: its filters make one grey frame of {camera.name}, which has {views}",
            "leave ObservationRGBToYFilter and ObservationStackingFilter out: frames come grey and stacked",
        )
    if grey:
        return replace(camera, shape=(*FRAME, 3))
    return replace(camera, shape=(*FRAME, 1)) if stacked else camera
