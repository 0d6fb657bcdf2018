"""Freeze a checkpoint's policy to model.pb with the car's node names and to model.onnx for servers, and check them in
three runtimes. policy.json says what the policy sees and does.

A checkpoint with environment.json is one of train_environment's.
"""

import argparse
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from kuberacer.coach import frozen_checks, onnx_graph
from kuberacer.coach.environment_model import FILENAME, EnvironmentModel
from kuberacer.coach.freeze import CAR_OUTPUT, freeze_checkpoint, input_names
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.coach.sensors import Observation, arrays
from kuberacer.coach.spaces import Spaces
from kuberacer.environments.loader import FILENAME as OWN_SOURCE
from kuberacer.errors import UserError, run_main
from kuberacer.formats.policy import FILENAME as POLICY
from kuberacer.formats.policy import ONNX
from kuberacer.stages import freeze_environment, freeze_race
from kuberacer.stages.arguments import stage_parser

CHECK_FRAMES = 32
TOLERANCE = 1e-4  # of probabilities, actions, or values relative to the largest


def main() -> None:
    options = arguments()
    options.model.mkdir(parents=True, exist_ok=True)
    model = options.model / "model.pb"
    metadata: EnvironmentModel | ModelMetadata
    if freeze_environment.is_environment(options.checkpoint):
        metadata = freeze_environment.read_model(options.checkpoint)
        seen: Observation = metadata.normalised(freeze_environment.drawn(metadata, CHECK_FRAMES))
        freeze_checkpoint(options.checkpoint, model, metadata)
    else:
        metadata = freeze_race.read_metadata(options.checkpoint)
        freeze_checkpoint(options.checkpoint, model, metadata)
        seen = freeze_race.around_a_lap(metadata, freeze_race.stack_size_of(model, metadata), CHECK_FRAMES)
    onnx_graph.convert(model, metadata, options.model / ONNX)
    for name in (freeze_race.METADATA, FILENAME, OWN_SOURCE):
        if (options.checkpoint / name).exists():
            shutil.copy(options.checkpoint / name, options.model / name)
    print(f"frozen: {model.stat().st_size / 1e6:.1f} MB, output {CAR_OUTPUT[metadata.algorithm]}", flush=True)
    wanted = frozen_checks.checkpoint_outputs(options.checkpoint, metadata, seen)
    checks = check(model, metadata, seen, wanted)
    options.checks.parent.mkdir(parents=True, exist_ok=True)
    options.checks.write_text(json.dumps(checks, indent=2) + "\n")
    for name, difference in checks["max_difference"].items():
        print(f"{name}: largest difference from the trained policy {difference:.1e}", flush=True)
    judge(checks)
    if isinstance(metadata, EnvironmentModel):
        policy = freeze_environment.policy_file(metadata)
    else:
        policy = freeze_race.policy_file(metadata, seen, wanted)
    (options.model / POLICY).write_text(policy.to_json(), encoding="utf-8")


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


def check(model: Path, metadata: Spaces, seen: Observation, wanted: np.ndarray) -> dict[str, Any]:
    """Compare every runtime's outputs with those `wanted`, the trained policy's."""
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
