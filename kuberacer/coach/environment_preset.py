"""A preset that trains on an environment of its own choice: what it says of the environment and of the schedule holds.

Hyperparameters by the names that rl_coach's launchers have made usual (`discount`, `improve_steps`, …) replace what the
preset says. Those that get_graph_manager has by name are the preset's own, with a range each in its RANGES.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from rl_coach.core_types import EnvironmentEpisodes, EnvironmentSteps, TrainingSteps

from kuberacer.coach import exploration
from kuberacer.coach.agent import Agent
from kuberacer.coach.build import agent_class
from kuberacer.coach.coach_graph import build_graph
from kuberacer.coach.environment_model import INPUT, EnvironmentModel, Parameter
from kuberacer.coach.filters import steps_of
from kuberacer.coach.hyperparameter_rules import RULES, Rule
from kuberacer.coach.hyperparameters import Hyperparameters, checked
from kuberacer.coach.json_input import read_object, shown
from kuberacer.coach.session import resolve_precision
from kuberacer.coach.user_preset import ACTION_INPUT, Preset, algorithm_of
from kuberacer.errors import UserError

DOCUMENT = "hyperparameters"
PRESET_KEY = "RLCOACH_PRESET"
SETTINGS = {
    "discount": Rule(float, None, "weight of the next step's return", 0, 1),
    "gae_lambda": Rule(float, None, "weight of longer returns in the advantage", 0, 1),
    "evaluation_episodes": Rule(int, None, "episodes of an evaluation while training", 1, 1000),
    "improve_steps": Rule(int, None, "environment steps of the training", 1, 10**10),
    "training_freq_env_steps": Rule(int, None, "environment steps between two training phases", 1, 10**7),
    "training_learning_rate": Rule(float, None, "learning rate", 1e-8, 1),
    "training_batch_size": Rule(int, None, "samples of one gradient step", 1, 2**16),
    "training_epochs": Rule(int, None, "passes over the samples of one training phase", 1, 1000),
    "save_model": Rule(int, None, "taken, and without effect: every iteration's checkpoint is kept", 0, 1),
    "evaluate_steps": Rule(int, None, "environment steps of the evaluation after the training", 1, 10**9),
}
LEAST_STEPS_BETWEEN_EVALUATIONS = 2000


def read_settings(text: str) -> dict[str, Any]:
    """The user's hyperparameters, of which the preset is still to say what else it takes. Raises UserError naming a key
    that is out of its range."""
    given = read_object(text, DOCUMENT) if text.strip() else {}
    if PRESET_KEY in given:
        given[PRESET_KEY] = str(given[PRESET_KEY])
    rules = {key: SETTINGS[key] for key in given if key in SETTINGS}
    return given | {key: checked(key, given[key], rule, "an environment's training") for key, rule in rules.items()}


@dataclass(frozen=True)
class EnvironmentPreset:
    """A preset's graph manager, with the user's settings in it."""

    manager: Any
    settings: Mapping[str, Any]

    @classmethod
    def load(cls, source: str, settings: Mapping[str, Any]) -> "EnvironmentPreset":
        """Execute a preset's source. Raises UserError naming the line of a fault in it, or what does not fit."""
        preset = Preset.load(source)
        own = preset.keywords()
        if unknown := [key for key in settings if key not in {PRESET_KEY, *SETTINGS, *own}]:
            known = ", ".join({PRESET_KEY: "", **SETTINGS, **own})
            raise UserError(f"{DOCUMENT}: {shown(unknown[0])} is not known", f"the keys are: {known}")
        values = {key: checked(key, settings.get(key, rule.default), rule, "the preset") for key, rule in own.items()}
        manager = preset.manager(values)
        for key, value in settings.items():
            if key in SETTINGS and key not in own:
                _set(manager, key, value)
        return cls(manager, {**settings, **values})

    @property
    def level(self) -> str:
        """The environment that the preset names; '' where it names none."""
        level = self.manager.env_params.level
        return level if isinstance(level, str) else ""

    @property
    def parameters(self) -> dict[str, Parameter]:
        """What the preset's environment is made with. Raises UserError for what cannot be written down: evaluations
        make the environment, too, and execute no preset."""
        given = getattr(self.manager.env_params, "additional_simulator_parameters", {})
        for key, value in given.items():
            if not isinstance(value, bool | int | float | str):
                raise UserError(
                    f"preset: additional_simulator_parameters has {key}, a {type(value).__name__}",
                    "give numbers and texts; code belongs into an environment of your own (ENVIRONMENT=file.py:Class)",
                )
        return dict(given)

    @property
    def preprocess(self) -> tuple[str, ...]:
        """The steps of its filters of the observation. Raises UserError naming one that cannot be published."""
        return steps_of(self.manager.agent_params, INPUT)

    @property
    def algorithm(self) -> str:
        return algorithm_of(self.manager)

    @property
    def improve_steps(self) -> int:
        """Environment steps of the training; 0 where the preset does not count it in these. rl_coach's loop counts a
        TrainingStep with each environment step, whether it learns then or not."""
        steps = self.manager.improve_steps
        return int(steps.num_steps) if isinstance(steps, EnvironmentSteps | TrainingSteps) else 0

    @property
    def evaluation_episodes(self) -> int:
        """At least one: the best checkpoint is found by them."""
        steps = self.manager.evaluation_steps
        return max(1, int(steps.num_steps)) if isinstance(steps, EnvironmentEpisodes) else 1

    @property
    def between(self) -> tuple[int, int]:
        """(steps, episodes) between two evaluations at least; one of them is 0."""
        between = self.manager.steps_between_evaluation_periods
        if isinstance(between, EnvironmentEpisodes):
            return 0, int(between.num_steps)
        counted = isinstance(between, EnvironmentSteps)
        return int(between.num_steps) if counted else LEAST_STEPS_BETWEEN_EVALUATIONS, 0

    def hyperparameters(self) -> Hyperparameters:
        """What the learners ask of the race's hyperparameters, from what the preset says."""
        parameters = self.manager.agent_params
        network = next(iter(parameters.network_wrappers.values()))
        playing = parameters.algorithm.num_consecutive_playing_steps
        values = {key: rule.default for key, rule in RULES[self.algorithm].items()}
        values |= {"lr": network.learning_rate, "batch_size": network.batch_size}
        values["discount_factor"] = parameters.algorithm.discount
        values["rollout_steps"] = playing.num_steps if isinstance(playing, EnvironmentSteps) else 2048
        if "heatup_steps" in values:
            heatup = self.manager.heatup_steps
            values["heatup_steps"] = heatup.num_steps if isinstance(heatup, EnvironmentSteps) else 0
            unit, size = parameters.memory.max_size
            values["replay_size"] = size if unit.name == "Transitions" else values["replay_size"]
        return Hyperparameters(self.algorithm, MappingProxyType(values))

    def build_agent(self, model: EnvironmentModel, copies: int, seed: int, threads: int | None = None) -> Agent:
        """An agent for so many copies of the environment. Raises UserError when the parts do not fit each other."""
        parameters, hyper = self.manager.agent_params, self.hyperparameters()
        for name, network in parameters.network_wrappers.items():
            if set(network.input_embedders_parameters) - {ACTION_INPUT} != {INPUT}:
                raise UserError(
                    f"preset: the network {name} has the inputs {', '.join(network.input_embedders_parameters)}",
                    f"give every network the one input {INPUT}",
                )
        exploration.check(parameters.exploration, model.algorithm, model.continuous)
        coach = build_graph(
            self.manager,
            model,
            inputs=model.inputs(1),
            seed=seed,
            threads=threads or len(os.sched_getaffinity(0)),
            precision=resolve_precision("auto", hyper["batch_size"]) if model.observation.dtype == "uint8" else "fp32",
        )
        agent = agent_class(model.algorithm)(coach, model, hyper, copies, seed)
        assert agent.inputs[0].shape == model.seen[0], "rl_coach's filters and ours make the same shapes"
        return agent


def _set(manager: Any, key: str, value: Any) -> None:
    """Where rl_coach keeps it. Raises UserError where the preset's agent has no such thing."""
    parameters = manager.agent_params
    attributes = {"discount": "discount", "gae_lambda": "gae_lambda", "training_epochs": "optimization_epochs"}
    if key in attributes:
        if not hasattr(parameters.algorithm, attributes[key]):
            raise UserError(f"{DOCUMENT}: {algorithm_of(manager)} has no {key}", f"leave {key} out")
        setattr(parameters.algorithm, attributes[key], value)
    elif key == "training_freq_env_steps":
        parameters.algorithm.num_consecutive_playing_steps = EnvironmentSteps(value)
    elif key == "training_learning_rate":
        for network in parameters.network_wrappers.values():
            network.learning_rate = value
    elif key == "training_batch_size":
        for network in parameters.network_wrappers.values():
            network.batch_size = value
    elif key == "improve_steps":
        manager.improve_steps = EnvironmentSteps(value)
    elif key == "evaluation_episodes":
        manager.evaluation_steps = EnvironmentEpisodes(value)
