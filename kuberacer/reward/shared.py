"""ParamArrays and rewards in memory that two processes share."""

import mmap
import os
import sys
import tempfile

import numpy as np

from kuberacer.reward.runner import RoadFacts
from kuberacer.sim.params import ParamArrays, array_keys

_ALIGNMENT = 64


def block_size(cars: int, objects: int = 0) -> int:
    """Bytes that the arrays of so many cars with so many objects take."""
    return sum(_padded(cars * _width(*spec)) for spec in array_keys(objects).values()) + _padded(8 * cars)


def make_block(size: int) -> int:
    """A file descriptor of nameless shared memory whose size nobody can change where the system knows seals."""
    if sys.platform == "linux":
        import fcntl

        descriptor = os.memfd_create("kuberacer-reward", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(descriptor, size)
        # A file that shrinks under a mapping kills whoever reads it.
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        return descriptor
    with tempfile.TemporaryFile() as file:
        file.truncate(size)
        return os.dup(file.fileno())


def map_block(descriptor: int, road: RoadFacts, cars: int, objects: int = 0) -> tuple[ParamArrays, np.ndarray]:
    """(values, rewards (cars,)) as views of the shared memory."""
    memory = mmap.mmap(descriptor, block_size(cars, objects))
    offset = 0

    def view(key: str, shape: tuple[int, ...], dtype: type) -> np.ndarray:
        nonlocal offset
        # An array of nothing may begin where the memory ends.
        array = np.ndarray(shape, dtype, memory, offset) if 0 not in shape else np.empty(shape, dtype)
        offset += _padded(array.nbytes)
        return array

    values = ParamArrays.allocate(road, cars, view, objects)  # type: ignore[arg-type]
    return values, view("rewards", (cars,), np.float64)


def _width(dtype: type, rest: tuple[int, ...]) -> int:
    return np.dtype(dtype).itemsize * int(np.prod(rest))


def _padded(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT
