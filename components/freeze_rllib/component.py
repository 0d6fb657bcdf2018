"""From a checkpoint of RLlib's to model.onnx, which servers load."""

from kfp import dsl

from components.images import UNITY


@dsl.container_component
def freeze_rllib(
    checkpoint: dsl.Input[dsl.Model],
    model: dsl.Output[dsl.Model],
    checks: dsl.Output[dsl.Artifact],
    usage: dsl.Output[dsl.Artifact],
):
    """Freezes the policy and compares it with the trained one in ONNX Runtime.

    Args:
        checkpoint: The checkpoint to freeze.
        model: model.onnx, policy.json, environment.json.
        checks: What ONNX Runtime made of it, as JSON.
        usage: What this stage took, as JSON (processor seconds, memory, GPUs).
    """
    return dsl.ContainerSpec(
        image=UNITY,
        command=["python", "-m", "kuberacer.stages.freeze_rllib"],
        args=["--checkpoint", checkpoint.path, "--model", model.path, "--checks", checks.path, "--usage", usage.path],
    )
