"""Whether a frozen graph of somebody else computes a policy and does nothing else."""

from pathlib import Path

from kuberacer.coach.compat.tensorflow_names import tf
from kuberacer.coach.freeze import policy_source
from kuberacer.coach.frozen_names import CAR_OUTPUT, input_names
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.errors import UserError

MOST_BYTES, MOST_NODES = 512 << 20, 10_000
# What the policies of rl_coach and DeepRacer are made of; nothing of it reads files, calls Python or loops.
OPERATIONS = {
    "Add", "AddV2", "AvgPool", "BiasAdd", "Cast", "ConcatV2", "Const", "Conv2D", "Div", "Elu", "Exp",
    "ExpandDims", "Flatten", "FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3", "GatherV2", "Identity",
    "LeakyRelu", "Log", "Log1p", "MatMul", "Max", "Maximum", "MaxPool", "Mean", "Merge", "Min", "Minimum", "Mul",
    "Neg", "NoOp", "Pack", "Placeholder", "PlaceholderWithDefault", "Pow", "Prod", "RealDiv", "Relu", "Relu6",
    "Reshape", "Rsqrt", "Selu", "Shape", "Sigmoid", "Slice", "Softmax", "Softplus", "Split", "Sqrt", "Square",
    "Squeeze", "StopGradient", "StridedSlice", "Sub", "Sum", "Switch", "Tanh", "Transpose", "Unpack",
}  # fmt: skip


def check_graph(path: Path, metadata: ModelMetadata) -> None:
    """Raises UserError for what is no frozen graph of a policy of this metadata. Nothing of it is run."""
    unfit = "give a model folder as DeepRacer or KubeRacer has written it, or remove this file"
    if path.stat().st_size > MOST_BYTES:
        raise UserError(f"{path.name} has {path.stat().st_size >> 20} MiB, more than {MOST_BYTES >> 20}", unfit)
    graph = tf.GraphDef()
    try:
        graph.ParseFromString(path.read_bytes())
    except Exception:
        raise UserError(f"{path.name} is no TensorFlow graph", unfit) from None
    if not 0 < len(graph.node) <= MOST_NODES:
        raise UserError(f"{path.name} has {len(graph.node)} nodes", unfit)
    strange = {node.op for node in graph.node} - OPERATIONS
    if strange or graph.library.function:
        named = ", ".join(sorted(op[:40] for op in strange)[:5]) or "functions of its own"
        raise UserError(f"{path.name} has operations that no policy has: {named}", unfit)
    wanted = set(input_names(metadata))
    given = {node.name for node in graph.node if node.op.startswith("Placeholder")}
    if given != wanted:
        raise UserError(
            f"{path.name} has the inputs {', '.join(sorted(given))[:200] or 'none'}, its metadata means"
            f" {', '.join(sorted(wanted))}",
            unfit,
        )
    if not any(node.name == CAR_OUTPUT[metadata.algorithm] for node in graph.node):
        try:  # rl_coach's own name of it
            policy_source(graph, metadata)
        except UserError as error:
            raise UserError(f"{path.name}: {error.cause}", unfit) from None
