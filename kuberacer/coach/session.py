"""TensorFlow sessions: threads, and the precision of the arithmetic."""

from pathlib import Path
from typing import Any

from kuberacer.coach.compat.tensorflow_names import tf

# With avx512_bf16 alone DeepRacer's network trains at 0.6 of fp32's speed (docs/performance.md): tiles make it pay.
BF16_FEATURES = {"amx_bf16"}
# At smaller batches the conversions to and from bf16 cost more than the arithmetic saves.
BF16_MINIMUM_BATCH = 64


def processor_computes_bf16() -> bool:
    """True where the processor has tiles for bfloat16 (AMX; read from /proc/cpuinfo; False where there is none)."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return any(BF16_FEATURES & set(line.split()) for line in text.splitlines() if line.startswith("flags"))


def resolve_precision(asked: str, batch_size: int) -> str:
    """'fp32' or 'bf16' for 'auto' | 'fp32' | 'bf16'."""
    if asked != "auto":
        return asked
    return "bf16" if batch_size >= BF16_MINIMUM_BATCH and processor_computes_bf16() else "fp32"


def session_config(threads: int, precision: str = "fp32") -> Any:
    """A ConfigProto. 'bf16' lets TensorFlow rewrite convolutions and matrix products; variables stay in fp32."""
    config = tf.ConfigProto(
        allow_soft_placement=True, intra_op_parallelism_threads=threads, inter_op_parallelism_threads=1
    )
    config.gpu_options.allow_growth = True
    if precision == "bf16":
        from tensorflow.core.protobuf.rewriter_config_pb2 import RewriterConfig

        config.graph_options.rewrite_options.auto_mixed_precision_onednn_bfloat16 = RewriterConfig.ON
    return config
