"""A user's own preset: Python in rl_coach's dialect.

It defines `graph_manager`, or `get_graph_manager(**hyperparameters)` that returns one (or a tuple that begins with it).

DeepRacer's presets name their environment DeepRacerRacetrackCustomActionSpaceEnv-v0 and their input `observation`;
they stand for this simulator and the metadata's camera. With a lidar, every network has an input of its name too.
What a preset says of the agent, networks, losses, exploration, replay and rhythm holds; its schedule (heatup,
evaluation) does not, since playing and evaluating are KubeRacer's.

It is other people's code: nothing but the trainer executes it (docs/algorithms.md).
"""

import inspect
import re
import traceback
import types
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

from rl_coach.environments.gym_environment import GymEnvironmentParameters
from rl_coach.filters.observation.observation_rgb_to_y_filter import ObservationRGBToYFilter
from rl_coach.filters.observation.observation_stacking_filter import ObservationStackingFilter
from rl_coach.graph_managers.basic_rl_graph_manager import BasicRLGraphManager

from kuberacer.coach.algorithms import ALGORITHMS
from kuberacer.coach.compat.hook import load_source
from kuberacer.coach.hyperparameter_rules import Rule
from kuberacer.coach.hyperparameters import Hyperparameters
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.coach.sensors import FRAME, Input
from kuberacer.coach.spaces import Spaces
from kuberacer.errors import UserError

FILENAME = "preset.py"
DEEPRACER_INPUT = "observation"
ACTION_INPUT = "action"  # of a critic
NAMES = {algorithm.path: name for name, algorithm in ALGORITHMS.items()}


class Preset:
    """A preset's source, executed once."""

    def __init__(self, module: types.ModuleType):
        self._module = module

    @classmethod
    def load(cls, source: str) -> Self:
        """Execute the source. Raises UserError naming the line of a fault in it."""
        try:
            module = load_source(source, "kuberacer_user_preset", FILENAME)
        except SyntaxError as error:
            raise UserError(f"{FILENAME}, line {error.lineno}: {error.msg}", "mend the preset's source") from None
        except Exception as error:
            raise _fault(error) from error
        if not hasattr(module, "graph_manager") and not hasattr(module, "get_graph_manager"):
            raise UserError(f"{FILENAME}: defines neither graph_manager nor get_graph_manager", "define one of the two")
        return cls(module)

    def algorithm(self, hyperparameters: str | None, asked: str = "") -> str:
        """Which algorithm it makes. hyperparameters: the user's file, if any, as text.

        asked: the run's, which may be left out; clipped_ppo, the default, counts as left out. Raises UserError for an
        agent that KubeRacer does not train, and for another one than was asked for.
        """
        found = algorithm_of(self.manager(Hyperparameters.of_any(hyperparameters)))
        if asked not in ("", "clipped_ppo", found):
            raise UserError(f"the preset makes {found}, the run's algorithm is {asked}", "leave ALGORITHM out")
        return found

    def graph_manager(self, metadata: ModelMetadata, hyper: Hyperparameters) -> tuple[Any, tuple[Input, ...]]:
        """(the preset's graph manager, the inputs that its environment is to give).

        Raises UserError naming the line of a fault in the source, or what does not fit.
        """
        manager = self.manager({key: value for key, value in hyper.values.items() if value is not None})
        if (found := algorithm_of(manager)) != metadata.algorithm:
            raise UserError(
                f"preset: it makes {found}, the run's algorithm is {metadata.algorithm}",
                f"set ALGORITHM={found}, or leave it out",
            )
        if not isinstance(manager.env_params, GymEnvironmentParameters):
            raise UserError(f"preset: env_params is {type(manager.env_params).__name__}", "use GymVectorEnvironment")
        _name_inputs(manager.agent_params, metadata)
        camera, *lidar = metadata.inputs(hyper["stack_size"])
        return manager, (_as_filtered(camera, metadata.views, manager.agent_params.input_filter), *lidar)

    def keywords(self) -> dict[str, Rule]:
        """What get_graph_manager takes by name with a default, each within its pair of the module's RANGES.

        Raises UserError for a default that is no number, or one without a range."""
        function = getattr(self._module, "get_graph_manager", None)
        given = inspect.signature(function).parameters.values() if function else ()
        ranges, found = getattr(self._module, "RANGES", {}), {}
        for parameter in given:
            if parameter.default is parameter.empty:
                continue
            if type(parameter.default) not in (int, float) or parameter.name not in ranges:
                raise UserError(
                    f"{FILENAME}: get_graph_manager takes {parameter.name} = {parameter.default!r} without a range",
                    f'give a number, and RANGES = {{"{parameter.name}": (lowest, highest), …}} in the preset',
                )
            low, high = ranges[parameter.name]
            found[parameter.name] = Rule(type(parameter.default), parameter.default, "", low, high)
        return found

    def manager(self, hyperparameters: Mapping[str, Any]) -> Any:
        """The preset's graph manager. Raises UserError naming the line of a fault in the source."""
        if hasattr(self._module, "graph_manager"):
            manager = self._module.graph_manager
        else:
            try:
                manager = self._module.get_graph_manager(**hyperparameters)
            except Exception as error:
                raise _fault(error) from error
            manager = manager[0] if isinstance(manager, tuple) else manager
        if not isinstance(manager, BasicRLGraphManager):
            raise UserError(
                f"preset: graph_manager is {type(manager).__name__}",
                "make it a BasicRLGraphManager (one agent, one level)",
            )
        return manager


def algorithm_of(manager: Any) -> str:
    """The algorithm that a graph manager makes. Raises UserError for one that is not trained here."""
    path = str(manager.agent_params.path)
    if path not in NAMES:
        raise UserError(
            f"preset: KubeRacer does not train rl_coach's {path.partition(':')[2]}",
            f"use one of: {', '.join(name.partition(':')[2] for name in NAMES)}",
        )
    return NAMES[path]


def _fault(error: Exception) -> UserError:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == FILENAME]
    where = f", line {lines[-1]}" if lines else ""
    said = re.sub(r"\s+", " ", str(error))
    return UserError(f"{FILENAME}{where}: {type(error).__name__}: {said}", "mend the preset's source")


def _name_inputs(parameters: Any, metadata: Spaces) -> None:
    """Call the networks' camera input, and its filters, as the metadata's camera is."""
    names = {DEEPRACER_INPUT: metadata.camera}
    wanted = {metadata.camera, metadata.lidar} - {None}
    for network in parameters.network_wrappers.values():
        inputs = network.input_embedders_parameters
        renamed = {names.get(name, name): embedder for name, embedder in inputs.items()}
        if set(renamed) - {ACTION_INPUT} != wanted or len(renamed) != len(inputs):
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
