"""Finished tasks, remembered by everything that went into them."""

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kuberacer.run.local.artifacts import Artifact, digest_of
from kuberacer.run.local.command import CommandLine, Places
from kuberacer.run.local.environments import Environment
from kuberacer.run.local.values import parse
from kuberacer.run.spec.model import Component, Container

LIMIT_BYTES = 4 << 30  # about a dozen runs
IN_USE_S = 6 * 3600.0
Outputs = dict[str, Any]  # parameters as values, artifacts as Artifact (lists of them from loops)


def task_key(
    component: Component, container: Container, command: CommandLine, environment: Environment, also: str
) -> str:
    """sha256 over the command, the inputs, what the environment holds, and `also` (what else outputs depend on)."""
    nowhere = CommandLine(command.component, _inputs_for_key(command.inputs), Places(Path("/outputs")), command.run)
    parts = {
        "command": nowhere.arguments((*container.command, *container.args)),
        "env": dict(container.env),
        "inputs": {name: _for_key(value) for name, value in sorted(command.inputs.items())},
        "outputs": {name: output.type for name, output in sorted(component.output_artifacts.items())},
        "environment": environment.digest,
        "also": also,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _for_key(value: Any) -> Any:
    if isinstance(value, Artifact):
        return {"digest": value.digest, "metadata": dict(value.metadata)}
    if isinstance(value, list):
        return [_for_key(item) for item in value]
    return value


def _inputs_for_key(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs with artifacts at places that depend on their content alone."""

    def placed(value: Any) -> Any:
        if isinstance(value, Artifact):
            return Artifact(value.name, value.type, f"/inputs/{value.digest}", value.metadata, value.digest)
        return [placed(item) for item in value] if isinstance(value, list) else value

    return {name: placed(value) for name, value in inputs.items()}


class TaskCache:
    """One folder a task below `folder`, by its key; `result.json` in it is written last and makes it valid."""

    def __init__(self, folder: Path):
        self.folder = folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        for left in self.folder.glob("unfinished-*"):
            if not _alive(int(left.name.split("-")[1])):
                shutil.rmtree(left, ignore_errors=True)

    def find(self, key: str, component: Component) -> Outputs | None:
        place = self.folder / key / "result.json"
        try:
            result = json.loads(place.read_text("utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        place.touch()
        return _read_result(result, component, Places(self.folder / key))

    def forget_oldest(self, limit_bytes: int = LIMIT_BYTES) -> None:
        """Remove what was not used for longest, down to the limit; what a run that is going on may need stays."""
        entries = sorted((path.stat().st_mtime, path.parent) for path in self.folder.glob("*/result.json"))
        sizes = {place: sum(file.stat().st_size for file in place.rglob("*") if file.is_file()) for _, place in entries}
        total = sum(sizes.values())
        for used, place in entries:
            if total <= limit_bytes or time.time() - used < IN_USE_S:
                return
            shutil.rmtree(place, ignore_errors=True)
            total -= sizes[place]

    def scratch(self) -> Path:
        """A new folder that keep() can put in its place."""
        return Path(tempfile.mkdtemp(prefix=f"unfinished-{os.getpid()}-", dir=self.folder))

    def keep(self, scratch: Path, key: str, component: Component) -> Outputs:
        """Put a finished task's folder in its place. Raises UserError when an output is not what its type says."""
        result = _collect(component, Places(scratch))
        text = json.dumps(result, sort_keys=True)
        with (scratch / "result.json").open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        place = self.folder / key
        if place.exists() and not (place / "result.json").exists():
            shutil.rmtree(place)
        try:
            scratch.rename(place)
        except OSError:  # another run finished the same task meanwhile: its outputs are as good
            if not (place / "result.json").exists():
                raise
            shutil.rmtree(scratch)
            result = json.loads((place / "result.json").read_text("utf-8"))
        return _read_result(result, component, Places(place))


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _collect(component: Component, places: Places) -> dict[str, Any]:
    """What a step left: parameter files and executor output (KFP's ExecutorOutput message), artifacts' digests."""
    written: dict[str, Any] = {}
    if places.executor_output.is_file():
        written = json.loads(places.executor_output.read_text("utf-8") or "{}")
    parameters = {
        name: value for name, value in written.get("parameterValues", {}).items() if name in component.output_parameters
    }
    for name, spec in component.output_parameters.items():
        if places.parameter(name).is_file():
            text = places.parameter(name).read_text("utf-8")
            parameters[name] = parse(text, spec.type, f"{component.name}: the output {name}")
    artifacts = {}
    for name, output in component.output_artifacts.items():
        listed = written.get("artifacts", {}).get(name, {}).get("artifacts") or [{}]
        metadata = {**output.metadata, **listed[0].get("metadata", {})}
        artifacts[name] = {"metadata": metadata, "digest": digest_of(places.artifact(name))}
    return {"parameters": parameters, "artifacts": artifacts}


def _read_result(result: dict[str, Any], component: Component, places: Places) -> Outputs:
    outputs: Outputs = dict(result["parameters"])
    for name, found in result["artifacts"].items():
        type_ = component.output_artifacts[name].type
        outputs[name] = Artifact(name, type_, str(places.artifact(name)), found["metadata"], found["digest"])
    return outputs
