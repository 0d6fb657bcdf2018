"""Which of an image's sets of compiled kernels this machine's processor runs.

An image is built on one processor and runs on others. numba compiles for the very processor that it finds and would
compile anew on each other one, a minute a pod. So the image carries the kernels for the x86-64 levels (what any
processor of a generation has), and every Python of the image chooses its level here, before numba is loaded: the
image's kuberacer.pth calls choose(). Only the standard library is imported: it runs at each start of Python.
"""

import os
import platform
from pathlib import Path

FOLDER = "KUBERACER_KERNELS"  # the variable that names the image's folder of compiled kernels
CPU = "NUMBA_CPU_NAME"  # numba's own: the processor that it compiles for
LEVELS = {
    "x86-64-v4": "avx512f avx512bw avx512cd avx512dq avx512vl",
    "x86-64-v3": "avx avx2 bmi1 bmi2 f16c fma abm movbe xsave",
    "x86-64-v2": "cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3",
}


def choose(cpuinfo: Path = Path("/proc/cpuinfo")) -> None:
    """Tell numba the best level that the image has kernels for; nothing where a user has told it another."""
    if os.environ.get(FOLDER) and CPU not in os.environ:
        ready = Path(os.environ[FOLDER])
        target = next((level for level in levels(cpuinfo) if (ready / level).is_dir()), None)
        if target is not None:
            # Without features of its own the level's name stands for just what the level has.
            os.environ.update({CPU: target, "NUMBA_CPU_FEATURES": ""})


def levels(cpuinfo: Path = Path("/proc/cpuinfo")) -> list[str]:
    """The levels that this machine's processor has, best first; "generic" stands for any other kind of processor."""
    if platform.machine() != "x86_64":
        return ["generic"]
    try:
        lines = cpuinfo.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []
    flags = set(next((line for line in lines if line.startswith("flags")), "").partition(":")[2].split())
    names = list(LEVELS)
    # Each level includes those below it.
    return [name for at, name in enumerate(names) if set(" ".join(list(LEVELS.values())[at:]).split()) <= flags]
