"""Compiles pipelines and components into KFP's pipeline spec, as YAML that can be uploaded in the Kubeflow UI."""

from pathlib import Path

import yaml
from google.protobuf import json_format
from kfp.dsl.base_component import BaseComponent


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, so that a reward's source stays readable."""


def _write_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _write_text)


def compile_to_text(component: BaseComponent) -> str:
    """The pipeline spec of a pipeline or of a single component.

    kfp's own writer puts the defaults of parameters into a comment at the top and breaks on a default of several lines.
    """
    documents = [json_format.MessageToDict(component.pipeline_spec)]
    platforms = json_format.MessageToDict(component.platform_spec)
    if platforms:
        documents.append(platforms)
    return yaml.dump_all(documents, Dumper=_Dumper, sort_keys=True, width=120, allow_unicode=True)


def compile_to_file(component: BaseComponent, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(compile_to_text(component), encoding="utf-8")
