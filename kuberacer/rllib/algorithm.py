"""RLlib's PPO on its new API stack: built from the settings, one iteration at a time, its state in numbers."""

import logging
import math
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import ray
import torch
from ray._private.utils import get_num_cpus, get_system_memory
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
from ray.tune.registry import register_env

from kuberacer.coach.environment_model import EnvironmentModel
from kuberacer.errors import UserError
from kuberacer.rllib.faults import LENGTH, RETURN, Fault, faults_since, open_told
from kuberacer.rllib.playing import Playing
from kuberacer.rllib.settings import SETTINGS, with_defaults

logging.getLogger("ray.rllib").setLevel(logging.ERROR)  # it advertises its API stack at each start
NAME = "kuberacer"
MODULE = "default_policy"  # RLlib's name of the only one
RUNNER_BYTES = 1 << 30  # of memory that a process with torch and RLlib takes
OBJECTS_BYTES = 128 << 20
SAMPLE_TIMEOUT_S = 1800.0  # environments have deadlines of their own
PATIENCE_S = 300.0  # without a step of any process that plays
MOST_FAULTS = 3  # of each process, without a step in between


@dataclass(frozen=True)
class Turn:
    """One iteration. steps: environment steps in it; episodes: (return, length) of those that ended in it; mean: over
    the last hundred episodes; learning: losses and the like."""

    steps: int
    episodes: list[tuple[float, int]]
    mean: float | None
    learning: dict[str, float]
    play_seconds: float
    learn_seconds: float


def runners_for(cpus: int, memory_bytes: int) -> int:
    """Processes that play, where none are asked for: CPUs − 1, as far as the memory goes, at least one."""
    return max(1, min(cpus - 1, memory_bytes // RUNNER_BYTES - 1))


@contextmanager
def ray_started(runners: int, address: str | None = None) -> Iterator[None]:
    """Ray in this machine's processes, or a cluster that is there. It ends with the block."""
    if address:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    else:
        with tempfile.TemporaryDirectory(prefix="kr-", ignore_cleanup_errors=True) as place:
            _start_here(place, runners)
            try:
                yield
            finally:
                ray.shutdown()
        return
    try:
        yield
    finally:
        ray.shutdown()


def _start_here(place: str, runners: int) -> None:
    os.environ["RAY_OBJECT_STORE_ALLOW_SLOW_STORAGE"] = "1"  # /dev/shm of a pod is 64 MiB
    for attempt in range(3):
        try:
            ray.init(
                num_cpus=max(get_num_cpus(), runners + 1),
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                object_store_memory=OBJECTS_BYTES,
                _temp_dir=place,
                _node_ip_address="127.0.0.1",
            )
            return
        except Exception as error:  # Ray gives its own node 30 s, which a busy machine needs for other things
            ray.shutdown()
            if attempt == 2:
                raise UserError(f"Ray does not start: {error}"[:400], "see whether the machine is busy") from error


@dataclass
class Algorithm:
    """PPO for one environment. Use it within ray_started."""

    playing: Playing
    model: EnvironmentModel
    settings: Mapping[str, Any]  # checked: read_settings'
    seed: int
    faults_seen: int = 0
    new_faults: list[Fault] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.values = with_defaults(self.settings, self.model.continuous)
        self.values.setdefault("num_env_runners", runners_for(get_num_cpus(), get_system_memory()))
        torch.set_num_threads(get_num_cpus() if self.model.observation.dtype == "uint8" else 1)
        register_env(NAME, open_told)
        config = _config(self.values, self.playing, self.seed)
        try:
            self.algorithm = config.build_algo()
        except Exception as error:
            raise self._explained(error, "see the hyperparameters, and the log of the stage") from error

    @property
    def runners(self) -> int:
        return self.values["num_env_runners"]

    def train(self) -> Turn:
        """One iteration. Faults of processes that were restarted are in new_faults then.

        Raises UserError when the environments fail again and again, or give no step for PATIENCE_S.
        """
        self.new_faults = []
        began = time.monotonic()
        while True:
            try:
                result = self.algorithm.train()
            except Exception as error:
                raise self._explained(error, "see the log of the stage") from error
            self._note_faults()
            turn = _turn(result)
            if turn.steps:
                self._check_numbers(turn)
                return turn
            self._give_up(time.monotonic() - began)
            time.sleep(0.5)  # until Ray has started them anew

    def state(self) -> dict[str, Any]:
        """Weights, the optimiser's averages, the KL coefficient."""
        learner = self.algorithm.learner_group.get_state()["learner"]
        return {"rl_module": learner["rl_module"], "optimizer": learner["optimizer"], "kl_coeff": self._kl_coeffs()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Raises UserError for a state of another network: RLlib itself takes what fits, and says nothing."""
        mine, given = (_shapes(each["rl_module"][MODULE]) for each in (self.state(), state))
        if mine != given:
            other = next(iter(sorted(mine.items() ^ given.items())))[0]
            raise UserError(
                f"the checkpoint does not fit: {other} is another than this network's",
                "go on with the hyperparameters and the environment that the run began with",
            )
        coefficients = dict(state["kl_coeff"])

        def bring(learner: Any) -> None:
            learner.module.set_state(state["rl_module"])
            learner._set_optimizer_state(state["optimizer"])
            for module, value in coefficients.items():
                learner.curr_kl_coeffs_per_module[module].data.fill_(value)

        for answer in self.algorithm.learner_group.foreach_learner(bring).result_or_errors:
            answer.get()
        self.algorithm.env_runner_group.sync_weights(
            from_worker_or_learner_group=self.algorithm.learner_group, inference_only=True
        )

    def close(self) -> None:
        self.algorithm.stop()

    def _kl_coeffs(self) -> dict[str, float]:
        answers = self.algorithm.learner_group.foreach_learner(
            lambda learner: {name: float(value) for name, value in learner.curr_kl_coeffs_per_module.items()}
        )
        return next(iter(answers.result_or_errors)).get()

    def _note_faults(self) -> None:
        found = faults_since(self.faults_seen)
        self.faults_seen += len(found)
        self.new_faults += found

    def _explained(self, error: Exception, remedy: str) -> UserError:
        """What an environment has told of, else what RLlib says."""
        fault = next(iter(faults_since(self.faults_seen)), None)
        if fault is None:
            return UserError(f"RLlib failed: {_last_line(error)}", remedy)
        return UserError(fault.cause, fault.remedy)

    def _give_up(self, waited: float) -> None:
        """When there were enough faults, or nothing happened for long enough."""
        if len(self.new_faults) >= MOST_FAULTS * max(1, self.runners):
            last = self.new_faults[-1]
            raise UserError(f"{len(self.new_faults)} times without a step in between: {last.cause}", last.remedy)
        if waited > PATIENCE_S + 2 * self.playing.timeout_s:
            raise UserError(
                f"no process that plays has given a step for {waited:.0f} s", "see whether there is memory for them"
            )

    def _check_numbers(self, turn: Turn) -> None:
        if not math.isfinite(turn.learning.get("total_loss", 0.0)):
            raise UserError(
                "the loss is not a finite number", "lower lr, or see whether rewards and observations are finite"
            )


def _config(values: Mapping[str, Any], playing: Playing, seed: int) -> PPOConfig:
    parts: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        parts.setdefault(SETTINGS[name].part, {})[name] = value
    config = PPOConfig().environment(NAME, env_config=playing.as_config(), disable_env_checking=True)
    config = config.training(**parts["training"])
    config = config.env_runners(sample_timeout_s=SAMPLE_TIMEOUT_S, **parts["env_runners"])
    config = config.learners(**parts.get("learners", {})).fault_tolerance(**parts["fault_tolerance"])
    if "model" in parts:
        config = config.rl_module(model_config=DefaultModelConfig(**parts["model"]))
    config = config.callbacks(on_episode_end=_note_episode)
    return config.debugging(seed=seed, log_level="ERROR")


def _note_episode(*, episode: Any, metrics_logger: Any, **_: Any) -> None:
    told = episode.get_infos(-1)
    metrics_logger.log_value("episodes", (float(told[RETURN]), int(told[LENGTH])), reduce="item_series")


def _turn(result: Mapping[str, Any]) -> Turn:
    played, learned = result.get("env_runners", {}), result.get("learners", {}).get(MODULE, {})
    timers = result.get("timers", {})
    mean, steps = (float(played.get(name, math.nan)) for name in ("episode_return_mean", "num_env_steps_sampled"))
    return Turn(
        steps=int(steps) if math.isfinite(steps) and learned else 0,  # no number: no process has played
        episodes=[(float(value), int(length)) for value, length in played.get("episodes", [])],
        mean=mean if math.isfinite(mean) else None,
        learning={name: float(value) for name, value in learned.items() if isinstance(value, int | float | np.number)},
        play_seconds=float(timers.get("env_runner_sampling_timer", 0.0)),
        learn_seconds=float(timers.get("learner_update_timer", 0.0)),
    )


def _shapes(weights: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    return {name: np.shape(value) for name, value in weights.items()}


def _last_line(error: BaseException) -> str:
    cause = getattr(error, "cause", None) or error
    return f"{type(cause).__name__}: {next(reversed(str(cause).strip().splitlines()), '')}"[:300]
