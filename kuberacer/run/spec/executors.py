"""Reads what a step runs: a container or an importer, with kfp-kubernetes' settings from the platform document."""

from typing import Any

from kuberacer.errors import UserError
from kuberacer.run.spec.fields import Fields
from kuberacer.run.spec.model import Constant, Container, FromInput, Importer, Resources
from kuberacer.run.spec.text import Text, parse_element, parse_text

# Fields of KubernetesExecutorConfig. A back end that cannot honour one that it finds must refuse it by name.
KUBERNETES_SETTINGS = frozenset(
    {
        "secretAsVolume",
        "secretAsEnv",
        "pvcMount",
        "nodeSelector",
        "tolerations",
        "imagePullSecret",
        "imagePullPolicy",
        "podMetadata",
        "genericEphemeralVolume",
        "emptyDirMounts",
        "configMapAsVolume",
        "configMapAsEnv",
        "fieldPathAsEnv",
        "activeDeadlineSeconds",
        "nodeAffinity",
        "podAffinity",
        "enabledSharedMemory",
        "securityContext",
    }
)


def read_executor(fields: Fields, platforms: dict[str, Any]) -> Container | Importer:
    """platforms: kfp-kubernetes' settings by the executor's label."""
    label = fields.where.rpartition(".")[2]
    if fields.has("importer"):
        importer = _read_importer(fields.fields("importer"))
        fields.done()
        return importer
    body = fields.fields("container")
    container = Container(
        image=parse_text(body.take("image", str), body.where),
        command=tuple(parse_element(str(item), body.where) for item in body.take("command", list, [])),
        args=tuple(parse_element(str(item), body.where) for item in body.take("args", list, [])),
        env=dict(_read_variable(item, body.where) for item in body.take("env", list, [])),
        resources=_read_resources(body.fields("resources")),
        kubernetes=platforms.get(label, {}),
    )
    body.done()
    fields.done()
    return container


def _read_variable(item: Any, where: str) -> tuple[str, str]:
    fields = Fields(item, f"{where}.env")
    variable = fields.take("name", str), fields.take("value", str, "")
    fields.done()
    return variable


def _read_resources(fields: Fields) -> Resources:
    for old in ("cpuLimit", "cpuRequest", "memoryLimit", "memoryRequest"):
        fields.take(old, (int, float), 0)  # the same values as numbers, for readers of before 2.10

    def quantity(of: Fields, key: str) -> Text | None:
        written = of.take(key, str, "")
        return parse_text(written, of.where) if written else None

    accelerator = fields.fields("accelerator")
    accelerator.take("type", str, "")
    accelerator.take("count", (str, int), "")
    resources = Resources(
        cpu_request=quantity(fields, "resourceCpuRequest"),
        cpu_limit=quantity(fields, "resourceCpuLimit"),
        memory_request=quantity(fields, "resourceMemoryRequest"),
        memory_limit=quantity(fields, "resourceMemoryLimit"),
        accelerator_type=quantity(accelerator, "resourceType"),
        accelerator_count=quantity(accelerator, "resourceCount"),
    )
    accelerator.done()
    fields.done()
    return resources


def _read_importer(fields: Fields) -> Importer:
    uri = fields.fields("artifactUri")
    if uri.has("runtimeParameter"):
        source: Constant | FromInput = FromInput(uri.take("runtimeParameter", str))
    else:
        source = Constant(parse_text(uri.take("constant", str), uri.where))
    kind = fields.fields("typeSchema")
    importer = Importer(
        uri=source,
        type=kind.take("schemaTitle", str, ""),
        metadata=fields.take("metadata", dict, {}),
        reimport=fields.take("reimport", bool, False),
    )
    kind.take("schemaVersion", str, "")
    for part in (uri, kind, fields):
        part.done()
    return importer


def read_platforms(fields: Fields) -> dict[str, dict[str, Any]]:
    """kfp-kubernetes' settings by executor label, from the second document. Raises UserError on another platform."""
    platforms = fields.fields("platforms")
    kubernetes = platforms.fields("kubernetes")
    deployment = kubernetes.fields("deploymentSpec")
    settings = {}
    for label, body in deployment.fields("executors").items():
        settings[label] = {key: body.take(key, object) for key in sorted(KUBERNETES_SETTINGS) if body.has(key)}
        body.done()
    if kubernetes.has("pipelineConfig"):
        raise UserError(
            f"{kubernetes.where}: pipelineConfig is not known to KubeRacer",
            "leave dsl.PipelineConfig out of the pipeline, or run the pipeline on Kubeflow Pipelines itself",
        )
    for part in (deployment, kubernetes, platforms, fields):
        part.done()
    return settings
