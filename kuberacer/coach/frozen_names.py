"""Names of a frozen graph's nodes, as the car and its tools look for them; importable without TensorFlow."""

from kuberacer.coach.algorithms import AGENT, ALGORITHMS
from kuberacer.coach.spaces import Spaces

CAR_OUTPUT = {name: algorithm.output for name, algorithm in ALGORITHMS.items()}
_KINDS = {"clipped_ppo": "probabilities", "sac": "action", "ddpg": "action", "td3": "action"}  # others: q_values


def output_kind(metadata: Spaces) -> str:
    """What the frozen graph's output is: probabilities, q_values, or of continuous actions mean or action."""
    kind = _KINDS.get(metadata.algorithm, "q_values")
    return "mean" if metadata.continuous and kind == "probabilities" else kind


def input_names(metadata: Spaces) -> tuple[str, ...]:
    """The names of the frozen graph's input nodes, float32: the camera's (batch, 120, 160, channels), pixels 0..255,
    and with a lidar its (batch, values)."""
    network = ALGORITHMS[metadata.algorithm].network
    return tuple(f"{AGENT}/{network}/online/network_0/{given.name}/{given.name}" for given in metadata.inputs(1))
