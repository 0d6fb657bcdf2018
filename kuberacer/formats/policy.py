"""`policy.json`: what serving needs to know of a published policy, of whatever environment and framework.

See docs/own-environment.md for its keys.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FILENAME = "policy.json"
ONNX = "model.onnx"  # beside it; with a float32 input a sensor, whose batch is free
VERSION = 1


@dataclass(frozen=True)
class PolicyFile:
    """graph: {"file", "input", "output"}, names of the graph's tensors without ":0". output: logits, probabilities,
    q_values, mean, or action. scaled: continuous actions are -1..1 and to be brought to the action's bounds.
    preprocess: what to do with an observation first, steps of kuberacer/preprocess.py."""

    run: str
    environment: str
    framework: str
    algorithm: str
    graph: dict[str, str]
    observation: dict[str, Any]
    action: dict[str, Any]
    output: str
    scaled: bool = False
    normalisation: dict[str, Any] | None = None
    preprocess: list[str] | None = None
    examples: tuple[dict[str, Any], ...] = ()
    version: int = VERSION

    def to_json(self) -> str:
        return _text(asdict(self))


def of_run(text: str, run: str, graph: str | None = None) -> str:
    """policy.json as it is published: with its run, and with its graph's file where that has another name."""
    policy = json.loads(text) | {"run": run}
    if graph is not None:
        policy["graph"] = policy["graph"] | {"file": graph}
    return _text(policy)


def _text(policy: dict[str, Any]) -> str:
    return json.dumps(policy, indent=1) + "\n"


def digest(folder: Path) -> str:
    """sha256 of both files that servers read: what was deployed is known by it. Raises OSError."""
    whole = hashlib.sha256()
    for name in (FILENAME, ONNX):
        with (folder / name).open("rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return f"sha256:{whole.hexdigest()}"
