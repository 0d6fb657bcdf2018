"""Names of a frozen graph's nodes, as the car and its tools look for them; importable without TensorFlow."""

from kuberacer.coach.metadata import ModelMetadata

AGENT = "main_level/agent"
CAR_OUTPUT = {
    "clipped_ppo": f"{AGENT}/main/online/network_1/ppo_head_0/policy",
    "sac": f"{AGENT}/policy/online/network_0/sac_policy_head_0/policy",
    "dqn": f"{AGENT}/main/online/network_0/q_values_head_0/q_values_head_0_target",
}


def input_names(metadata: ModelMetadata) -> tuple[str, ...]:
    """The names of the frozen graph's input nodes, float32: the camera's (batch, 120, 160, channels), pixels 0..255,
    and with a lidar its (batch, values)."""
    network = "policy" if metadata.algorithm == "sac" else "main"
    return tuple(f"{AGENT}/{network}/online/network_0/{given.name}/{given.name}" for given in metadata.inputs(1))
