"""python -m kuberacer.health: whether this image or environment can do its work; status 0 when it can.

It imports what the image is for and loads the simulator's compiled kernels, and says how long each took.
"""

import importlib
import os
import sys
import time

MODULES = {
    "race": ["tensorflow", "onnxruntime", "openvino", "kuberacer.coach.build", "kuberacer.sim.race_sim"],
    "rollout": ["onnxruntime", "openvino", "redis", "boto3", "kuberacer.sim.race_sim"],
    "watch": ["fastapi", "uvicorn", "kuberacer.watch.app", "kuberacer.watch.bucket"],
    "unity": ["torch", "ray.rllib.algorithms.ppo", "onnxruntime", "kuberacer.rllib.unity_player"],
    "serve": ["fastapi", "uvicorn", "onnxruntime", "boto3", "kuberacer.serve.start", "kuberacer.serve.fetch"],
    "builder": ["kuberacer.stages.build_job"],
    "tools": ["kfp", "hera", "kubernetes", "kuberacer.run.cli", "kuberacer.store.server"],
}
MODULES["race-gpu"] = MODULES["race"]
MODULES["deepracer"] = [*MODULES["rollout"], "deepracer.envs", "kuberacer.rollout.deepracer_client"]


def main() -> int:
    image = os.environ.get("KUBERACER_IMAGE", "race")
    started = time.perf_counter()
    try:
        for module in MODULES[image]:
            importlib.import_module(module)
    except ImportError as error:
        print(f"error: {image} cannot import {error.name or error}\nremedy: build the image again", file=sys.stderr)
        return 1
    print(f"{image} is well: {len(MODULES[image])} modules in {time.perf_counter() - started:.1f} s{kernels()}")
    return 0


def kernels() -> str:
    """Where the kernels came from; compiling them anew works, but costs every pod its first half minute."""
    if "numba" not in sys.modules:
        return ""
    from kuberacer.sim import render_kernels, step_kernels

    compiled = (step_kernels.step_cars, render_kernels.render_cars)
    loaded = all(sum(kernel.stats.cache_hits.values()) for kernel in compiled)
    target = os.environ.get("NUMBA_CPU_NAME", "this processor")
    return f", kernels {'loaded' if loaded else 'compiled anew'} for {target}"


if __name__ == "__main__":
    sys.exit(main())
