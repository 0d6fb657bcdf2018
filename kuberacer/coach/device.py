"""Where TensorFlow computes, and why not where the user expects it; what to lower when memory ends."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kuberacer.coach.compat.tensorflow_names import tf
from kuberacer.errors import UserError

ASKED = "KUBERACER_GPUS"  # set in the trainer's pod by components/pools.py
NVIDIA = Path("/dev/nvidia0")


def device() -> str:
    """The GPUs' names, or the number of cores; and why a GPU that was asked for, or that is there, is not used."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        return ", ".join(found.get("device_name", "a GPU") for found in details)
    cores = f"{len(os.sched_getaffinity(0))} cores"
    asked = int(os.environ.get(ASKED, "0"))
    if asked and not NVIDIA.exists():
        return f"{cores} ({asked} GPU asked for, none in this container: is the node's device plugin running?)"
    if asked or NVIDIA.exists():
        remedy = "is the image race-gpu, and does the node's driver fit its CUDA?"
        return f"{cores} (a GPU is there that TensorFlow cannot use: {remedy})"
    return cores


@contextmanager
def memory_in_words(batch_size: int, cars: int) -> Iterator[None]:
    """Raises UserError where memory of the machine or the GPU is exhausted."""
    try:
        yield
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        said = str(error).strip().partition("\n")[0][:200] or "no more of it"
        raise UserError(
            f"training ran out of memory: {said}",
            f"lower batch_size (now {batch_size}) or CARS (now {cars}), or give more memory; "
            "checkpoints are kept, RESUME goes on from the last",
        ) from error
