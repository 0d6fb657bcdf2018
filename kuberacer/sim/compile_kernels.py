"""python -m kuberacer.sim.compile_kernels: compile every kernel into numba's cache, so that no run waits for it."""

import importlib
import time
from pathlib import Path

from kuberacer.sim.kernel_cache import KERNELS


def main() -> None:
    clock = time.perf_counter()
    # With their signatures given, the kernels compile, or load from the cache, when their modules are imported.
    for path in sorted(Path(__file__).parent.glob("*_kernels.py")):
        if path.stem != Path(__file__).stem:
            importlib.import_module(f"kuberacer.sim.{path.stem}")
    count = sum(len(kernel.signatures) for kernel in KERNELS)
    print(f"{count} kernels ready in {time.perf_counter() - clock:.1f} s")


if __name__ == "__main__":
    main()
