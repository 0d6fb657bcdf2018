"""From a checkpoint to `model.onnx`: the policy without its value function, checked in ONNX Runtime."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import onnxruntime
import torch
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.models.base import ACTOR, ENCODER_OUT
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig

from kuberacer.coach.environment_model import ContinuousActions, EnvironmentModel
from kuberacer.errors import UserError
from kuberacer.formats.policy import PolicyFile
from kuberacer.rllib.algorithm import MODULE
from kuberacer.rllib.settings import SETTINGS, with_defaults

GRAPH, INPUT = "model.onnx", "observation"
OPSET = 17


class Policy(torch.nn.Module):
    """Raw observations, float32 (N, …) -> logits (N, n), or means of actions (N, axes)."""

    def __init__(self, module: Any, model: EnvironmentModel):
        super().__init__()
        self.module, self.axes = module, model.actions if model.continuous else None
        self.frames = model.observation.dtype == "uint8"

    def forward(self, observation: torch.Tensor) -> torch.Tensor:
        # Not the module's own way, which repeats a free deviation as often as the traced batch is long.
        features = self.module.encoder({"obs": self._scaled(observation)})[ENCODER_OUT][ACTOR]
        return self._means(self.module.pi.net(features))

    def trained(self, observations: np.ndarray) -> np.ndarray:
        """The same by RLlib's own way."""
        seen = self._scaled(torch.as_tensor(np.asarray(observations, np.float32)))
        with torch.no_grad():
            return self._means(self.module.forward_inference({"obs": seen})["action_dist_inputs"]).numpy()

    def _scaled(self, observation: torch.Tensor) -> torch.Tensor:
        return observation / 255.0 if self.frames else observation

    def _means(self, told: torch.Tensor) -> torch.Tensor:
        """Without the deviations, the second half."""
        return told if self.axes is None else told[:, : self.axes]


def trained_policy(model: EnvironmentModel, settings: Mapping[str, Any], weights: Mapping[str, Any]) -> Policy:
    """settings: the training's. weights: of the state's rl_module. Raises UserError when they do not fit each other."""
    values = with_defaults(settings, model.continuous)
    network = {name: value for name, value in values.items() if SETTINGS[name].part == "model"}
    config = PPOConfig().debugging(log_level="ERROR")
    if network:
        config = config.rl_module(model_config=DefaultModelConfig(**network))
    spec = config.get_rl_module_spec(spaces={MODULE: _spaces(model)}, inference_only=True)
    module = spec.build()
    wanted = module.state_dict().keys()
    try:
        found = {name: torch.as_tensor(np.array(weights[name])) for name in wanted}
        module.load_state_dict(found)
    except (KeyError, RuntimeError, TypeError) as error:
        raise UserError(
            f"the weights do not fit the network: {str(error)[:200]}", "give a checkpoint with its own hyperparameters"
        ) from None
    return Policy(module.eval(), model).eval()


def write_onnx(policy: Policy, model: EnvironmentModel, path: Path) -> None:
    seen = torch.zeros((2, *model.observation.shape), dtype=torch.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter by tracing, which needs onnx alone, is called old
        torch.onnx.export(
            policy,
            (seen,),
            str(path),
            input_names=[INPUT],
            output_names=[output_of(model)],
            dynamic_axes={INPUT: {0: "batch"}, output_of(model): {0: "batch"}},
            opset_version=OPSET,
            dynamo=False,
        )


class OnnxPolicy:
    """model.onnx in ONNX Runtime, on one thread."""

    def __init__(self, path: Path, model: EnvironmentModel):
        """Raises UserError when it is no graph, or not this environment's."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise UserError(f"{path} cannot be read: {type(error).__name__}", "give a folder of freeze_rllib") from None
        self.model = model
        names = [given.name for given in self._session.get_inputs()]
        if names != [INPUT]:
            raise UserError(f"{path} has the inputs {', '.join(names)}", f"give a graph with one input {INPUT}")

    def outputs(self, observations: np.ndarray) -> np.ndarray:
        """Logits or means for raw observations (N, …)."""
        return self._session.run(None, {INPUT: np.asarray(observations, np.float32)})[0]

    def actions(self, observations: np.ndarray) -> np.ndarray:
        """The environment's own, likeliest actions (N, …)."""
        outputs = self.outputs(observations)
        return self.model.decode(outputs if self.model.continuous else outputs.argmax(axis=1))


def output_of(model: EnvironmentModel) -> str:
    return "mean" if model.continuous else "logits"


def policy_file(model: EnvironmentModel, examples: tuple[dict, ...]) -> PolicyFile:
    """What serving needs to know of the graph."""
    seen, done = model.observation, model.action
    action: dict[str, Any] = {"kind": done.kind, "meaning": list(done.meaning) if done.meaning else None}
    if isinstance(done, ContinuousActions):
        action |= {"shape": list(done.shape), "low": list(done.low), "high": list(done.high)}
    else:
        action |= {"n": done.n}
    frames = seen.dtype == "uint8"
    return PolicyFile(
        run="",
        environment=model.environment,
        framework="rllib",
        algorithm=model.algorithm,
        graph={"file": GRAPH, "input": INPUT, "output": output_of(model)},
        observation={
            "shape": list(seen.shape),
            "dtype": seen.dtype,
            "low": 0 if frames else list(seen.low),
            "high": 255 if frames else list(seen.high),
            "meaning": list(seen.meaning) if seen.meaning else None,
        },
        action=action,
        output=output_of(model),
        scaled=model.continuous,
        examples=examples,
    )


def _spaces(model: EnvironmentModel) -> tuple[gymnasium.Space, gymnasium.Space]:
    shape = model.observation.shape
    seen = gymnasium.spaces.Box(-np.inf, np.inf, shape, np.float32)
    done = model.action
    if isinstance(done, ContinuousActions):
        low, high = (np.array(bound, np.float32).reshape(done.shape) for bound in (done.low, done.high))
        return seen, gymnasium.spaces.Box(low, high, dtype=np.float32)
    return seen, gymnasium.spaces.Discrete(done.n)
