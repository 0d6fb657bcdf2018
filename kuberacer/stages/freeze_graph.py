"""Freeze a checkpoint's policy to model.pb with the car's node names, and check it in three runtimes.

A checkpoint with environment.json is one of train_environment's; its model folder gets policy.json, too.
"""

import argparse
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from kuberacer.coach import frozen_checks
from kuberacer.coach.environment_model import FILENAME
from kuberacer.coach.freeze import CAR_OUTPUT, freeze_checkpoint, input_names
from kuberacer.coach.frozen_policy import FrozenPolicy
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.coach.sensors import Observation, arrays
from kuberacer.coach.spaces import Spaces
from kuberacer.environments.loader import FILENAME as OWN_SOURCE
from kuberacer.errors import UserError, run_main
from kuberacer.formats.policy import FILENAME as POLICY
from kuberacer.rollout.frame_stack import Observations
from kuberacer.sim.race_sim import RaceSim
from kuberacer.sim.track import load_track
from kuberacer.stages import freeze_environment
from kuberacer.stages.arguments import stage_parser

METADATA = "model_metadata.json"
CHECK_TRACK = "kidney"  # any: the frames only have to look like what the camera sees
CHECK_FRAMES = 32
TOLERANCE = 1e-4  # of probabilities, actions, or values relative to the largest


def main() -> None:
    options = arguments()
    options.model.mkdir(parents=True, exist_ok=True)
    model = options.model / "model.pb"
    metadata: Spaces
    if freeze_environment.is_environment(options.checkpoint):
        metadata = freeze_environment.read_model(options.checkpoint)
        policy = freeze_environment.policy_file(metadata)
        (options.model / POLICY).write_text(policy.to_json(), encoding="utf-8")
        seen: Observation = metadata.normalised(freeze_environment.drawn(metadata, CHECK_FRAMES))
        freeze_checkpoint(options.checkpoint, model, metadata)
    else:
        metadata = read_metadata(options.checkpoint)
        freeze_checkpoint(options.checkpoint, model, metadata)
        seen = around_a_lap(metadata, stack_size_of(model, metadata))
    for name in (METADATA, FILENAME, OWN_SOURCE):
        if (options.checkpoint / name).exists():
            shutil.copy(options.checkpoint / name, options.model / name)
    print(f"frozen: {model.stat().st_size / 1e6:.1f} MB, output {CAR_OUTPUT[metadata.algorithm]}", flush=True)
    checks = check(options.checkpoint, model, metadata, seen)
    options.checks.parent.mkdir(parents=True, exist_ok=True)
    options.checks.write_text(json.dumps(checks, indent=2) + "\n")
    for name, difference in checks["max_difference"].items():
        print(f"{name}: largest difference from the trained policy {difference:.1e}", flush=True)
    judge(checks)


def arguments() -> argparse.Namespace:
    parser = stage_parser(
        "freeze_graph",
        __doc__ or "",
        "python -m kuberacer.stages.freeze_graph --checkpoint checkpoint/ --model model/ --checks checks.json",
    )
    parser.add_argument("--checkpoint", type=Path, required=True, help="folder with a checkpoint and its metadata")
    parser.add_argument(
        "--model", type=Path, required=True, help="folder to write: model.pb, and what tells what it is"
    )
    parser.add_argument("--checks", type=Path, required=True, help="file to write: what the runtimes made of it (JSON)")
    return parser.parse_args()


def read_metadata(checkpoint: Path) -> ModelMetadata:
    try:
        return ModelMetadata.parse((checkpoint / METADATA).read_text(encoding="utf-8"))
    except OSError:
        raise UserError(
            f"{checkpoint}: {METADATA} is missing", "give the folder that the train stage has written"
        ) from None


def stack_size_of(model: Path, metadata: ModelMetadata) -> int:
    policy = FrozenPolicy(model, metadata)
    try:
        return policy.stack_size
    finally:
        policy.close()


def check(checkpoint: Path, model: Path, metadata: Spaces, seen: Observation) -> dict[str, Any]:
    """Compare every runtime's outputs with the trained policy's."""
    wanted = frozen_checks.checkpoint_outputs(checkpoint, metadata, seen)
    scale = max(1.0, float(np.abs(wanted).max()))
    found = {}
    for name, outputs in frozen_checks.RUNTIMES.items():
        given = outputs(model, metadata, seen)
        found[name] = float(np.abs(given - wanted).max()) / scale if given.shape == wanted.shape else float("inf")
    inputs = zip(input_names(metadata), arrays(seen), strict=True)
    return {
        "inputs": {name: [1, *array.shape[1:]] for name, array in inputs},
        "output": CAR_OUTPUT[metadata.algorithm],
        "model_sha256": hashlib.sha256(model.read_bytes()).hexdigest(),
        "frames": CHECK_FRAMES,
        "tolerance": TOLERANCE,
        "max_difference": found,
    }


def around_a_lap(metadata: ModelMetadata, stack_size: int) -> Observation:
    """What CHECK_FRAMES cars see that are spread over a lap."""
    sim = RaceSim(load_track(CHECK_TRACK), CHECK_FRAMES, sensors=metadata.sensors)
    sim.reset()
    sim.render()
    return Observations(sim, metadata, stack_size).current


def judge(checks: dict[str, Any]) -> None:
    """Raises UserError when a runtime's outputs are too far off."""
    for name, difference in checks["max_difference"].items():
        if not difference <= checks["tolerance"]:
            raise UserError(
                f"{name} differs from the trained policy by {difference:.1e}, the tolerance is {checks['tolerance']:g}",
                "the model must not drive a car: report it with the checkpoint and the checks file",
            )


if __name__ == "__main__":
    run_main(main)
