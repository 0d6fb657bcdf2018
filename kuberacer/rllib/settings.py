"""RLlib's settings that a user may set, by RLlib's names, with their ranges; `hyperparameters` of the pipeline.

The defaults are those of the Unity walk-through (gamma 0.995, kl_coeff 1.0, …), else RLlib's own.
"""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kuberacer.coach.json_input import number, read_object, shown
from kuberacer.errors import UserError

DOCUMENT = "hyperparameters"
FILENAME = "hyperparameters.json"
# What RLlib called them before its new API stack.
OLD_NAMES = {
    "num_sgd_iter": "num_epochs",
    "sgd_minibatch_size": "minibatch_size",
    "train_batch_size": "train_batch_size_per_learner",
    "num_workers": "num_env_runners",
    "num_envs_per_worker": "num_envs_per_env_runner",
    "num_cpus_per_worker": "num_cpus_per_env_runner",
    "num_gpus": "num_gpus_per_learner",
    "ignore_worker_failures": "restart_failed_env_runners",
    "recreate_failed_workers": "restart_failed_env_runners",
    "lambda": "lambda_",
    "timesteps_total": "steps",
}
ACTIVATIONS = ("tanh", "relu", "swish", "silu", "linear")


@dataclass(frozen=True)
class Setting:
    """One of RLlib's. part: the method of its configuration, or `model` for the network. default None: RLlib's own."""

    part: str
    meaning: str
    takes: str
    read: Callable[[Any], Any]  # None: not one of these
    default: Any = None


def _number(kind: type, low: float, high: float) -> tuple[str, Callable[[Any], Any]]:
    def read(value: Any) -> Any:
        found = number(value)
        good = found is not None and low <= found <= high and (kind is float or found.is_integer())
        return kind(found) if good and found is not None else None

    return f"{'a whole number' if kind is int else 'a number'} from {low:g} to {high:g}", read


def _words(*words: str) -> tuple[str, Callable[[Any], Any]]:
    return f"one of {', '.join(words)}", lambda value: value if value in words else None


def _switch() -> tuple[str, Callable[[Any], Any]]:
    words = {"true": True, "false": False, True: True, False: False}
    return "true or false", lambda value: words.get(value) if isinstance(value, bool | str) else None


def _sizes() -> tuple[str, Callable[[Any], Any]]:
    def read(value: Any) -> Any:
        good = isinstance(value, list) and len(value) <= 16
        good = good and all(type(each) is int and 1 <= each <= 16384 for each in value)
        return list(value) if good else None

    return "a list of whole numbers from 1 to 16384", read


def _filters() -> tuple[str, Callable[[Any], Any]]:
    def read(value: Any) -> Any:
        good = isinstance(value, list) and 1 <= len(value) <= 16
        good = good and all(isinstance(row, list) and len(row) == 3 and all(map(_part, row)) for row in value)
        return [list(row) for row in value] if good else None

    def _part(each: Any) -> bool:
        inner = each if isinstance(each, list) and len(each) == 2 else [each]
        return all(type(one) is int and 1 <= one <= 4096 for one in inner)

    return "a list of [channels, kernel, stride]", read


def _fragment() -> tuple[str, Callable[[Any], Any]]:
    _, read = _number(int, 1, 10**6)
    return "auto, or a whole number from 1 to 1000000", lambda value: value if value == "auto" else read(value)


def _optional(low: float, high: float) -> tuple[str, Callable[[Any], Any]]:
    takes, read = _number(float, low, high)
    return takes, read


SETTINGS: dict[str, Setting] = {
    "gamma": Setting("training", "weight of the next step's return", *_number(float, 0, 1), 0.995),
    "lr": Setting("training", "learning rate (Adam)", *_number(float, 1e-8, 1), 1e-4),
    "train_batch_size_per_learner": Setting("training", "steps of one iteration", *_number(int, 1, 10**7), 500),
    "minibatch_size": Setting("training", "samples of one gradient step", *_number(int, 1, 10**6), 100),
    "num_epochs": Setting("training", "passes over an iteration's steps", *_number(int, 1, 1000), 20),
    "shuffle_batch_per_epoch": Setting("training", "shuffle before each pass", *_switch()),
    "lambda_": Setting("training", "weight of longer returns in the advantage (GAE)", *_number(float, 0, 1)),
    "use_gae": Setting("training", "generalised advantage estimation", *_switch()),
    "use_critic": Setting("training", "a value function as baseline", *_switch()),
    "use_kl_loss": Setting("training", "a loss for the distance from the policy before", *_switch()),
    "kl_coeff": Setting("training", "weight of that loss at first", *_number(float, 0, 1000), 1.0),
    "kl_target": Setting("training", "the distance that the weight is steered to", *_number(float, 1e-8, 100)),
    "vf_loss_coeff": Setting("training", "weight of the value function's loss", *_number(float, 0, 1000)),
    "vf_clip_param": Setting("training", "largest squared error of a value", *_number(float, 1e-8, 1e12)),
    "entropy_coeff": Setting("training", "reward for an undecided policy", *_number(float, 0, 100)),
    "clip_param": Setting("training", "how far a step may move a probability's ratio", *_number(float, 1e-6, 10)),
    "grad_clip": Setting("training", "largest gradient; without it none", *_optional(1e-8, 1e6)),
    "grad_clip_by": Setting("training", "what that means", *_words("value", "norm", "global_norm")),
    "num_env_runners": Setting(
        "env_runners", "processes that play; 0: the trainer plays; default: CPUs - 1", *_number(int, 0, 1000)
    ),
    "num_envs_per_env_runner": Setting("env_runners", "environments in each", *_number(int, 1, 1000)),
    "num_cpus_per_env_runner": Setting("env_runners", "CPUs that each takes in Ray's account", *_number(float, 0, 64)),
    "rollout_fragment_length": Setting("env_runners", "steps that one sends at once", *_fragment()),
    "batch_mode": Setting("env_runners", "where they are cut", *_words("truncate_episodes", "complete_episodes")),
    "explore": Setting("env_runners", "draw actions; false: take the likeliest", *_switch()),
    "num_learners": Setting("learners", "learners in processes of their own; 0: the trainer", *_number(int, 0, 64)),
    "num_gpus_per_learner": Setting("learners", "GPUs of each", *_number(float, 0, 16)),
    "restart_failed_env_runners": Setting("fault_tolerance", "start one anew that has failed", *_switch(), True),
    "max_num_env_runner_restarts": Setting("fault_tolerance", "how often, at most", *_number(int, 0, 10**6)),
    "delay_between_env_runner_restarts_s": Setting(
        "fault_tolerance", "seconds before it", *_number(float, 0, 3600), 1.0
    ),
    "fcnet_hiddens": Setting("model", "sizes of the hidden layers", *_sizes()),
    "fcnet_activation": Setting("model", "their activation", *_words(*ACTIVATIONS)),
    "head_fcnet_hiddens": Setting("model", "sizes of further layers of policy and value", *_sizes()),
    "head_fcnet_activation": Setting("model", "their activation", *_words(*ACTIVATIONS)),
    "conv_filters": Setting("model", "layers over frames", *_filters()),
    "conv_activation": Setting("model", "their activation", *_words(*ACTIVATIONS)),
    "vf_share_layers": Setting("model", "policy and value share their hidden layers", *_switch()),
    "free_log_std": Setting("model", "Box actions: a standard deviation that no observation changes", *_switch()),
}


def read_settings(text: str) -> dict[str, Any]:
    """What the user sets, checked; RLlib's old names and the dictionary `model` are understood.

    Raises UserError naming the key and what it takes.
    """
    given = read_object(text, DOCUMENT) if text.strip() else {}
    network = given.pop("model", {})
    if not isinstance(network, dict):
        raise UserError(f"{DOCUMENT}: model is {shown(network)}", 'give model as {"fcnet_hiddens": [256, 256], …}')
    found: dict[str, Any] = {}
    for name, value in [*given.items(), *network.items()]:
        key = OLD_NAMES.get(name, name)
        if key == "steps":
            raise UserError(f"{DOCUMENT}: {name} is the pipeline's own", "give STEPS=… instead")
        if key not in SETTINGS:
            raise _unknown(name)
        if key in found:
            raise UserError(f"{DOCUMENT}: {key} is given twice", f"give {key} once")
        read = SETTINGS[key].read(value)
        if read is None:
            raise UserError(f"{DOCUMENT}: {name} is {shown(value)}", f"give {name} as {SETTINGS[key].takes}")
        found[key] = read
    return found


def with_defaults(given: Mapping[str, Any], continuous: bool) -> dict[str, Any]:
    """All settings that are not left to RLlib. Raises UserError for what does not fit the environment or each other."""
    if given.get("free_log_std") and not continuous:
        raise UserError(
            f"{DOCUMENT}: free_log_std is for Box actions, this environment's are discrete", "leave free_log_std out"
        )
    settings = {name: each.default for name, each in SETTINGS.items() if each.default is not None}
    if continuous:
        settings["free_log_std"] = True
    settings |= given
    if settings["minibatch_size"] > settings["train_batch_size_per_learner"]:
        raise UserError(
            f"{DOCUMENT}: minibatch_size {settings['minibatch_size']} is more than "
            f"train_batch_size_per_learner {settings['train_batch_size_per_learner']}",
            "lower minibatch_size",
        )
    return settings


def _unknown(name: str) -> UserError:
    near = difflib.get_close_matches(name, [*SETTINGS, *OLD_NAMES], n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return UserError(f"{DOCUMENT}: {shown(name)} is not known", f"{hint}the keys are: {', '.join(SETTINGS)}")
