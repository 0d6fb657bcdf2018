"""Container components as container templates of Argo."""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from kuberacer.errors import UserError
from kuberacer.run.argo.commands import EXECUTOR_OUTPUT, INPUTS, OUTPUTS, CommandLine
from kuberacer.run.argo.expressions import Call, Expression, Name, Text, joined, tag
from kuberacer.run.argo.kubernetes import pod_fields
from kuberacer.run.argo.travel import EMPTY, command_text
from kuberacer.run.argo.values import Value
from kuberacer.run.spec.model import ArtifactOutput, Component, Container, Resources, Retry, Task
from kuberacer.run.spec.text import ExecutorOutputFile, InputArtifact, placeholders

VOLUMES = ("tmp", "inputs", "outputs")  # of every pod, empty and writable, declared by the workflow
MADE_BY = "made-by"  # the pod that made a step's artifacts: tells whether they are the same as those of another run
EXECUTOR_OUTPUT_NAME = "executor-output"
# Artifacts of one file that Argo's UI shows; all others are packed, so that folders, links and modes come back
_SHOWN = frozenset({"system.HTML", "system.Markdown"})
_LOSSES = 5  # pods that one step may lose: on spot nodes a training of hours loses several, and goes on each time
# Killed from outside, with its pod or by a node that runs short: not the step's fault
_LOST = (
    "lastRetry.status == 'Error'"
    " || (lastRetry.exitCode in ['130', '137', '143'] && !(lastRetry.message contains 'OOMKilled'))"
    " || lastRetry.message matches '(?i)evict|preempt|node was low on resource|node shutdown'"
)


@dataclass(frozen=True)
class Options:
    """How the workflow runs on its cluster.

    run_as_user: the user of every step, also where an image says root; None: what the images say.
    cache: the first part of the names of the config maps, in the controller's own namespace, that remember finished
    steps; cache_max_age: as Go writes durations.
    """

    service_account: str = "kuberacer-pipeline"
    run_as_user: int | None = 10001
    read_only_root: bool = True
    cache: str = "kuberacer-cache"
    cache_max_age: str = "720h"
    keep_workflow_s: int = 7 * 24 * 3600
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Inputs:
    """What a task gives to its component, seen from inside the template.

    received: the parameters that are inputs of the template. With each artifact travel the name of the pod that made it
    and, when some step of the pipeline reads any artifact's metadata (described), that too.
    """

    parameters: dict[str, Value]
    received: list[str]
    artifacts: list[str]
    described: bool = False

    @property
    def names(self) -> list[str]:
        """The names of the template's input parameters."""
        with_artifacts = [made_by, metadata_of] if self.described else [made_by]
        return [*self.received, *(name(artifact) for artifact in self.artifacts for name in with_artifacts)]


def container_template(
    task: Task, component: Component, container: Container, inputs: Inputs, options: Options
) -> dict[str, Any]:
    """A template without a name. Raises UserError naming what cannot be translated."""
    line = CommandLine(task, component, inputs.parameters, set(inputs.artifacts))
    pod = pod_fields(container.kubernetes, component.name)
    command, args = line.arguments(container.command), line.arguments(container.args)
    env = [{"name": EMPTY, "value": ""}, *line.environment]
    env += [{"name": name, "value": command_text(value)} for name, value in container.env.items()]
    mounts = [("tmp", "/tmp"), ("outputs", OUTPUTS), *([("inputs", INPUTS)] if inputs.artifacts else [])]
    template: dict[str, Any] = {
        "inputs": {
            "parameters": declared(inputs)["parameters"],
            "artifacts": [{"name": name, "path": f"{INPUTS}/{name}", "optional": True} for name in inputs.artifacts],
        },
        "outputs": _outputs(component, container),
        "volumes": pod.volumes,
        "container": {
            "image": line.plain(container.image),
            "imagePullPolicy": "IfNotPresent",
            "command": command,
            "args": args,
            "env": env + pod.env,
            "volumeMounts": [{"name": name, "mountPath": path} for name, path in mounts] + pod.mounts,
            "securityContext": _security(options),
            **pod.container,
        },
        "retryStrategy": retry_strategy(task.retry, repeat_lost=True),
        **pod.template,
    }
    _add_resources(template, container.resources, line)
    return template


def remembered(
    name: str, task: Task, template: dict[str, Any], inputs: Inputs, options: Options
) -> dict[str, Any] | None:
    """A template around the one of a step, by its name, that takes outputs from the cache. None: not to be cached.

    Around it, because Argo loses what follows a remembered template that also has a retryStrategy. A step that is
    given the run's own name is never the same twice.
    """
    if not task.cache or any(value.of_this_run for value in inputs.parameters.values()):
        return None
    outputs = template["outputs"]
    inner = f"tasks.{task.name}.outputs"
    return {
        "inputs": declared(inputs),
        "outputs": {
            "parameters": [
                {"name": one["name"], "valueFrom": {"parameter": f"{{{{{inner}.parameters.{one['name']}}}}}"}}
                for one in outputs["parameters"]
            ],
            "artifacts": [
                {"name": one["name"], "from": f"{{{{{inner}.artifacts.{one['name']}}}}}", "optional": True}
                for one in outputs["artifacts"]
            ],
        },
        "memoize": _memoize(template, inputs, options),
        "dag": {"tasks": [{"name": task.name, "template": name, "arguments": handed_on(inputs)}]},
    }


def declared(inputs: Inputs) -> dict[str, Any]:
    """The inputs of a template that has no container."""
    return {
        "parameters": [{"name": name} for name in inputs.names],
        "artifacts": [{"name": name, "optional": True} for name in inputs.artifacts],
    }


def handed_on(inputs: Inputs) -> dict[str, Any]:
    """All inputs of a template as arguments of a task in it."""
    return {
        "parameters": [{"name": name, "value": f"{{{{inputs.parameters.{name}}}}}"} for name in inputs.names],
        "artifacts": [
            {"name": name, "from": f"{{{{inputs.artifacts.{name}}}}}", "optional": True} for name in inputs.artifacts
        ],
    }


def made_by(artifact: str) -> str:
    """The parameter that travels with an artifact and names the pod that made it."""
    return f"{artifact}--{MADE_BY}"


def metadata_of(artifact: str) -> str:
    """The parameter that travels with an artifact and holds its metadata as JSON."""
    return f"{artifact}--metadata"


def writes_executor_output(container: Container) -> bool:
    elements = (*container.command, *container.args)
    return any(isinstance(part, ExecutorOutputFile) for element in elements for part in placeholders(element))


def reads_metadata(container: Container) -> bool:
    elements = (*container.command, *container.args)
    found = [part for element in elements for part in placeholders(element)]
    return any(isinstance(part, InputArtifact) and part.field == "metadata" for part in found)


def _security(options: Options) -> dict[str, Any]:
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": options.read_only_root,
    }


def _outputs(component: Component, container: Container) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "valueFrom": {"path": f"{OUTPUTS}/{name}"}} for name in component.output_parameters
    ]
    if writes_executor_output(container):
        parameters.append({"name": EXECUTOR_OUTPUT_NAME, "valueFrom": {"path": EXECUTOR_OUTPUT, "default": "{}"}})
    if component.output_artifacts:
        # Nothing lies there: the default, which Argo fills in, is remembered with the outputs of a cached step
        place = {"path": f"{OUTPUTS}/.{MADE_BY}", "default": "{{workflow.uid}}/{{pod.name}}"}
        parameters.append({"name": MADE_BY, "valueFrom": place})
    artifacts = [_artifact(name, output) for name, output in component.output_artifacts.items()]
    return {"parameters": parameters, "artifacts": artifacts}


def _artifact(name: str, output: ArtifactOutput) -> dict[str, Any]:
    archive: dict[str, Any] = {"none": {}} if output.type in _SHOWN else {"tar": {"compressionLevel": 1}}
    return {"name": name, "path": f"{OUTPUTS}/{name}", "optional": True, "archive": archive}


def _add_resources(template: dict[str, Any], resources: Resources, line: CommandLine) -> None:
    """Quantities that are known; those from parameters can only be patched in when the pod is made."""
    wanted = [("requests", "cpu", resources.cpu_request), ("requests", "memory", resources.memory_request)]
    wanted += [("limits", "cpu", resources.cpu_limit), ("limits", "memory", resources.memory_limit)]
    known: dict[str, dict[str, str]] = {}
    later: dict[str, dict[str, str]] = {}
    for side, name, text in wanted:
        if text is not None:
            quantity = line.plain(text)
            (later if quantity.startswith("{{") else known).setdefault(side, {})[name] = quantity
    if resources.accelerator_count is not None:
        kind = line.plain(resources.accelerator_type or ("nvidia.com/gpu",))
        if kind.startswith("{{"):
            raise UserError(f"{line.component.name}: the accelerator's type comes from a parameter", "write the type")
        quantity = line.plain(resources.accelerator_count)
        (later if quantity.startswith("{{") else known).setdefault("limits", {})[kind] = quantity
    if known:
        template["container"]["resources"] = known
    if later:
        patch = json.dumps({"containers": [{"name": "main", "resources": later}]})
        # Expressions stand in it as they are: Argo fills them in before it reads the patch as JSON
        quantities = [quantity for side in later.values() for quantity in side.values()]
        for quantity in quantities:
            patch = patch.replace(json.dumps(quantity), f'"{quantity}"')
        template["podSpecPatch"] = patch


def retry_strategy(retry: Retry | None, repeat_lost: bool) -> dict[str, Any] | None:
    """KFP counts attempts that failed; one whose pod was lost is repeated beyond them, asked or not."""
    count = retry.count if retry else 0
    if not count and not repeat_lost:
        return None
    strategy: dict[str, Any] = {"limit": str(count + (_LOSSES if repeat_lost else 0)), "retryPolicy": "Always"}
    if repeat_lost:
        strategy["expression"] = f"asInt(retries) < {count} || {_LOST}" if count else _LOST
    if retry is not None and retry.count and retry.backoff_s:
        strategy["backoff"] = {
            "duration": f"{max(1, round(retry.backoff_s))}s",
            "factor": str(max(1, round(retry.factor))),
            "cap": f"{max(1, round(retry.backoff_max_s))}s",
        }
    return strategy


def _memoize(template: dict[str, Any], inputs: Inputs, options: Options) -> dict[str, Any]:
    """By everything that goes into the step, and by the namespace: Argo's cache is one for the whole cluster.

    A config map holds 1 MiB, so the steps are spread over 256 of them.
    """
    content = json.dumps(template, sort_keys=True)
    parts: list[Expression] = [Text(f"{hashlib.sha256(content.encode()).hexdigest()} "), Name("workflow.namespace")]
    for name, value in sorted(inputs.parameters.items()):
        # Digests, so that no value can pass for the end of one input and the beginning of the next
        parts += [Text(f" {name} "), Call("sha256", (value.travelled,))]
    for name in sorted(inputs.artifacts):
        parts += [Text(f" {name} "), Name("inputs.parameters", made_by(name))]
    key = Call("sha256", (joined(parts),))
    shard = Call("first two", (key,))
    return {
        "key": tag(key),
        "maxAge": options.cache_max_age,
        "cache": {"configMap": {"name": f"{options.cache}-{tag(shard)}"}},
    }
