"""Freeze a checkpoint of train_rllib to model.onnx with policy.json, and check it against the trained policy."""

import argparse
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np

from kuberacer.coach.environment_model import FILENAME
from kuberacer.environments.loader import FILENAME as OWN_SOURCE
from kuberacer.errors import UserError, run_main
from kuberacer.formats.policy import FILENAME as POLICY
from kuberacer.formats.write import write_atomically
from kuberacer.rllib.algorithm import MODULE
from kuberacer.rllib.freeze import GRAPH, INPUT, OnnxPolicy, output_of, policy_file, trained_policy, write_onnx
from kuberacer.rllib.settings import FILENAME as SETTINGS_FILE
from kuberacer.rllib.settings import read_settings
from kuberacer.rllib.state import read_state
from kuberacer.stages.arguments import stage_parser
from kuberacer.stages.freeze_environment import drawn, read_model

CHECKED, EXAMPLES = 32, 3
TOLERANCE = 1e-4  # relative to the largest output


def main() -> None:
    options = arguments()
    model = read_model(options.checkpoint)
    settings = read_settings((options.checkpoint / SETTINGS_FILE).read_text(encoding="utf-8"))
    policy = trained_policy(model, settings, read_state(options.checkpoint)["rl_module"][MODULE])
    graph = options.model / GRAPH
    write_onnx(policy, model, graph)
    seen = drawn(model, CHECKED)
    wanted = policy.trained(seen)
    frozen = OnnxPolicy(graph, model)
    difference = float(np.abs(frozen.outputs(seen) - wanted).max()) / max(1.0, float(np.abs(wanted).max()))
    checks = {
        "inputs": {INPUT: [1, *model.observation.shape]},
        "output": output_of(model),
        "model_sha256": hashlib.sha256(graph.read_bytes()).hexdigest(),
        "frames": CHECKED,
        "tolerance": TOLERANCE,
        "max_difference": {"onnxruntime": difference},
    }
    write_atomically(options.checks, json.dumps(checks, indent=2) + "\n")
    print(f"frozen: {graph.stat().st_size / 1e6:.2f} MB, output {output_of(model)}", flush=True)
    print(f"onnxruntime: largest difference from the trained policy {difference:.1e}", flush=True)
    if not difference <= TOLERANCE:
        raise UserError(
            f"onnxruntime differs from the trained policy by {difference:.1e}, the tolerance is {TOLERANCE:g}",
            "the model must not be served: report it with the checkpoint and the checks file",
        )
    shown = seen[: 1 if model.observation.dtype == "uint8" else EXAMPLES]  # a frame is many numbers
    examples = tuple(
        {"observation": np.asarray(one).tolist(), "action": np.asarray(action).tolist()}
        for one, action in zip(shown, frozen.actions(shown), strict=True)
    )
    (options.model / POLICY).write_text(policy_file(model, examples).to_json(), encoding="utf-8")
    for name in (FILENAME, OWN_SOURCE):
        if (options.checkpoint / name).exists():
            shutil.copy(options.checkpoint / name, options.model / name)


def arguments() -> argparse.Namespace:
    parser = stage_parser(
        "freeze_rllib",
        __doc__ or "",
        "python -m kuberacer.stages.freeze_rllib --checkpoint checkpoint/ --model model/ --checks checks.json",
    )
    parser.add_argument("--checkpoint", type=Path, required=True, help="folder that train_rllib has written")
    parser.add_argument("--model", type=Path, required=True, metavar="OUTPUT", help="folder: model.onnx, policy.json")
    parser.add_argument("--checks", type=Path, required=True, metavar="OUTPUT", help="JSON: what the check found")
    return parser.parse_args()


if __name__ == "__main__":
    run_main(main)
