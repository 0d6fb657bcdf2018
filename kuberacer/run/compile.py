"""Compiles pipelines and components into KFP's pipeline spec, as YAML that can be uploaded in the Kubeflow UI."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from kuberacer.errors import UserError
from kuberacer.run.files import must_exist

if TYPE_CHECKING:
    from kfp.dsl.base_component import BaseComponent

_SOURCES = (
    "pipelines/**/*.py",
    "components/**/*.py",
    "rewards/*.py",
    "presets/**/*.py",
    "kuberacer/__init__.py",
    "kuberacer/run/*.py",
)
_ROOT = Path(__file__).parents[2]


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, so that a reward's source stays readable."""


def _write_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _write_text)


def compile_to_text(component: BaseComponent) -> str:
    """The pipeline spec of a pipeline or of a single component.

    kfp's own writer puts the defaults of parameters into a comment at the top and breaks on a default of several lines.
    """
    from google.protobuf import json_format

    documents = [json_format.MessageToDict(component.pipeline_spec)]
    platforms = json_format.MessageToDict(component.platform_spec)
    if platforms:
        documents.append(_said_once(platforms))
    return yaml.dump_all(documents, Dumper=_Dumper, sort_keys=True, width=120, allow_unicode=True)


def _said_once(value: Any) -> Any:
    """A platform spec without what says nothing new and is refused by KFP's drivers that do not know it (2.0).

    `secretName: x` comes with `secretNameParameter: {runtimeValue: {constant: x}}` (config maps and others alike), what
    is not optional with `optional: false`.
    """
    if isinstance(value, list):
        return [_said_once(item) for item in value]
    if not isinstance(value, dict):
        return value
    twice = {f"{name}Parameter": {"runtimeValue": {"constant": item}} for name, item in value.items()}
    return {
        name: _said_once(item)
        for name, item in value.items()
        if twice.get(name) != item and not (name == "optional" and item is False)
    }


def component_texts() -> dict[Path, str]:
    """What components/<stage>/component.yaml must hold, by path."""
    from components.stages import COMPONENTS

    folder = _ROOT / "components"
    return {folder / name / "component.yaml": compile_to_text(component) for name, component in COMPONENTS.items()}


def compile_file(path: Path) -> str:
    """The pipeline spec of the pipeline that a Python file defines; of several the one with the file's name."""
    from kfp.dsl.graph_component import GraphComponent

    must_exist(path, "pipeline")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise UserError(f"{path} is not a Python file", "give a .py file with a function under @dsl.pipeline")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = [value for value in vars(module).values() if isinstance(value, GraphComponent)]
    if len(found) > 1:
        found = [value for value in found if value is vars(module).get(path.stem)] or found
    if len(found) != 1:
        raise UserError(
            f"{path} defines {len(found)} pipelines",
            "put one function under @dsl.pipeline into the file, or name one like the file",
        )
    return compile_to_text(found[0])


def pipeline_text(name: str, cache: Path) -> str:
    """The compiled pipeline of pipelines/<name>.py. Importing kfp takes seconds: what it compiled is kept in `cache`,
    by its sources."""
    digest = hashlib.sha256(version("kfp").encode())
    for variable in sorted(os.environ):  # what components/images.py and components/pools.py read
        if variable.startswith(("KUBERACER_IMAGE", "KUBERACER_TRAINER_", "KUBERACER_KEEP_GRAPHS")):
            digest.update(f"{variable}={os.environ[variable]}".encode())
    for pattern in _SOURCES:
        for path in sorted(_ROOT.glob(pattern)):
            digest.update(path.read_bytes() + b"\0")
    place = cache / f"{name}-{digest.hexdigest()[:16]}.kfp.yaml"
    if place.exists():
        return place.read_text(encoding="utf-8")
    text = compile_file(_ROOT / "pipelines" / f"{name}.py")
    write_text(place, text)
    return text


def write_text(path: Path, text: str) -> None:
    """Write a file so that nobody sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
