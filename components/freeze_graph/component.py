"""Stage 4: from a checkpoint to the frozen graph that the car loads."""

from kfp import dsl

from components.images import RACE


@dsl.container_component
def freeze_graph(
    checkpoint: dsl.Input[dsl.Model],
    model: dsl.Output[dsl.Model],
    checks: dsl.Output[dsl.Artifact],
    usage: dsl.Output[dsl.Artifact],
):
    """Freezes the policy under DeepRacer's node names and compares it with the live one in three runtimes.

    Args:
        checkpoint: The checkpoint to freeze.
        model: model.pb and its metadata; model.onnx and policy.json for servers.
        checks: What TensorFlow, OpenVINO and ONNX Runtime made of it, as JSON.
        usage: What this stage took, as JSON (processor seconds, memory, GPUs).
    """
    return dsl.ContainerSpec(
        image=RACE,
        command=["python", "-m", "kuberacer.stages.freeze_graph"],
        args=["--checkpoint", checkpoint.path, "--model", model.path, "--checks", checks.path, "--usage", usage.path],
    )
