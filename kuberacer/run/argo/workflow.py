"""The whole pipeline as a WorkflowTemplate."""

import json
import re
from collections.abc import Mapping
from typing import Any

import yaml

from kuberacer.errors import UserError
from kuberacer.run.argo.containers import VOLUMES, Inputs, Options
from kuberacer.run.argo.expressions import Call, Expression, Name, Text
from kuberacer.run.argo.graphs import Templates
from kuberacer.run.argo.travel import argument_text, arrive
from kuberacer.run.argo.values import BARE_KINDS, Value, clean
from kuberacer.run.local.values import to_text
from kuberacer.run.spec import read_pipeline
from kuberacer.run.spec.model import ParameterInput, ParameterType, Pipeline, Task

_ENTRY = "pipeline"


def translate(pipeline: Pipeline, options: Options | None = None) -> dict[str, Any]:
    """The manifest of a WorkflowTemplate. Raises UserError naming a construct that is not translated."""
    from hera.workflows import models

    options = options or Options()
    name = re.sub(r"[^a-z0-9-]+", "-", pipeline.name.lower()).strip("-")
    templates = Templates(pipeline, options)
    root = Task(_ENTRY, _ENTRY, pipeline.root.name, {}, {}, frozenset())
    given = {name: workflow_value(name, spec) for name, spec in pipeline.root.parameters.items()}
    entry = templates.component(root, pipeline.root, Inputs(given, [], []))
    labels = {"app.kubernetes.io/part-of": "kuberacer", **options.labels}
    spec = {
        "entrypoint": entry,
        "arguments": {"parameters": [_parameter(name, spec) for name, spec in pipeline.root.parameters.items()]},
        "serviceAccountName": options.service_account,
        "securityContext": _security(options),
        "workflowMetadata": {"labels": labels, "labelsFrom": {"kuberacer.io/run": {"expression": "workflow.name"}}},
        "podMetadata": {"labels": {**labels, "kuberacer.io/run": "{{workflow.name}}", "kuberacer.io/role": "stage"}},
        "podSpecPatch": _executor_patch(),
        "archiveLogs": True,
        # What failed stays to be looked at, until the workflow itself goes
        "podGC": {"strategy": "OnWorkflowSuccess", "deleteDelayDuration": "60s"},
        "ttlStrategy": {"secondsAfterCompletion": options.keep_workflow_s},
        "volumes": [{"name": name, "emptyDir": {}} for name in VOLUMES],
        "templates": [_without_empty(template) for template in templates.made.values()],
    }
    metadata: dict[str, Any] = {"name": name, "labels": labels}
    if pipeline.description:
        metadata["annotations"] = {"workflows.argoproj.io/description": pipeline.description}
    manifest = models.WorkflowTemplate.model_validate(
        {"apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTemplate", "metadata": metadata, "spec": spec}
    )
    return manifest.model_dump(mode="json", by_alias=True, exclude_none=True)


def workflow_of(manifest: dict[str, Any], name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """A run of a translated pipeline, as a Workflow that needs no WorkflowTemplate in the cluster.

    arguments: values by the names of the pipeline's parameters, None for what is not given. Raises UserError for a name
    that the pipeline does not have.
    """
    spec = dict(manifest["spec"])
    parameters = {one["name"]: dict(one) for one in spec.get("arguments", {}).get("parameters", [])}
    for key, value in arguments.items():
        if key not in parameters:
            raise UserError(f"the pipeline has no parameter {key}", f"choose from {', '.join(sorted(parameters))}")
        parameters[key]["value"] = argument_text(value)
    spec["arguments"] = {"parameters": list(parameters.values())}
    metadata = {**manifest["metadata"], "name": name}
    metadata["labels"] = {**metadata.get("labels", {}), "kuberacer.io/run": name}
    return {"apiVersion": manifest["apiVersion"], "kind": "Workflow", "metadata": metadata, "spec": spec}


def to_yaml(manifest: dict[str, Any]) -> str:
    return yaml.dump(manifest, Dumper=_Dumper, sort_keys=True, width=120, allow_unicode=True)


def compile_argo(text: str) -> str:
    """A compiled pipeline (KFP's pipeline spec, as YAML) as the YAML of a WorkflowTemplate."""
    return to_yaml(translate(read_pipeline(text)))


def workflow_value(name: str, spec: ParameterInput) -> Value:
    """A parameter of the pipeline, which every template reads where the workflow holds it."""
    held = Name("workflow.parameters", name)
    raw: Expression = clean(held if spec.type in BARE_KINDS else arrive(held), spec.type)
    empty = Call("==", (held, Text("")))
    if spec.default is None:
        return Value(raw, spec.type, Call("not", (empty,)) if spec.optional else None)
    if spec.type is ParameterType.STRING:
        return Value(raw, spec.type)
    return Value(Call("if", (empty, Text(to_text(spec.default)), raw)), spec.type)


def _parameter(name: str, spec: ParameterInput) -> dict[str, Any]:
    """As Argo's form shows it. An empty text stands for what is not given."""
    parameter: dict[str, Any] = {"name": name}
    if spec.default is not None or spec.optional:
        parameter["value"] = argument_text(spec.default)
    if spec.description:
        parameter["description"] = spec.description
    if spec.literals:
        parameter["enum"] = [argument_text(literal) for literal in spec.literals]
    elif spec.type is ParameterType.BOOLEAN:
        parameter["enum"] = ["true", "false"]
    return parameter


def _security(options: Options) -> dict[str, Any]:
    user = {"runAsUser": options.run_as_user, "runAsGroup": 0} if options.run_as_user is not None else {}
    return {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}, **user}


def _executor_patch() -> str:
    """Argo's own containers, too, as Pod Security "restricted" wants them."""
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    patch = {
        "initContainers": [{"name": "init", "securityContext": security}],
        "containers": [{"name": "wait", "securityContext": security}],
    }
    return json.dumps(patch)


def _without_empty(value: Any) -> Any:
    """Without what says nothing: None, and lists and objects with nothing in them, but for Argo's own empty objects."""
    if isinstance(value, dict):
        found = {key: _without_empty(item) for key, item in value.items()}
        return {key: item for key, item in found.items() if key in _MAY_BE_EMPTY or item not in (None, {}, [], "")}
    return [_without_empty(item) for item in value] if isinstance(value, list) else value


_MAY_BE_EMPTY = {"emptyDir", "none", "value", "default"}


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks, and long ones of one line as they are: both are to be read."""


def _write_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _write_text)
