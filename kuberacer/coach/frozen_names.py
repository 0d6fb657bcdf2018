"""Names of a frozen graph's nodes, as the car and its tools look for them; importable without TensorFlow."""

from kuberacer.coach.metadata import ModelMetadata

AGENT = "main_level/agent"
CAR_OUTPUT = {
    "clipped_ppo": f"{AGENT}/main/online/network_1/ppo_head_0/policy",
    "sac": f"{AGENT}/policy/online/network_0/sac_policy_head_0/policy",
    "dqn": f"{AGENT}/main/online/network_0/q_values_head_0/q_values_head_0_target",
}


def input_name(metadata: ModelMetadata) -> str:
    """The name of the frozen graph's input node: (batch, 120, 160, stack) float32, pixels 0..255."""
    network = "policy" if metadata.algorithm == "sac" else "main"
    return f"{AGENT}/{network}/online/network_0/{metadata.input_name}/{metadata.input_name}"
