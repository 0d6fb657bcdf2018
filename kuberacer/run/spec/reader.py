"""Reads KFP's pipeline spec, as `kfp.compiler` writes it (YAML of one or two documents), into the model.

Format: api/v2alpha1/pipeline_spec.proto and kubernetes_platform/proto/kubernetes_executor_config.proto of
kubeflow/pipelines.
"""

from typing import Any

import yaml

from kuberacer.errors import UserError
from kuberacer.run.spec.check import check_pipeline
from kuberacer.run.spec.executors import read_executor, read_platforms
from kuberacer.run.spec.fields import Fields
from kuberacer.run.spec.model import (
    ArtifactInput,
    ArtifactOutput,
    Component,
    Container,
    FromTask,
    Graph,
    Importer,
    ParameterInput,
    ParameterOutput,
    ParameterType,
    Pipeline,
)
from kuberacer.run.spec.tasks import read_task

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_pipeline(text: str, name: str = "the pipeline") -> Pipeline:
    """The model of a compiled pipeline. name: how error messages call the document.

    Raises UserError naming a construct that is not known, or a reference that leads nowhere.
    """
    try:
        documents = [document for document in yaml.load_all(text, _Loader) if document is not None]
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{name} is not YAML: {reason}", "compile it with `kuberacer compile` or kfp") from None
    if not documents or len(documents) > 2 or not isinstance(documents[0], dict) or "root" not in documents[0]:
        raise UserError(f"{name} is not a compiled KFP pipeline", "compile it with `kuberacer compile` or kfp")
    platforms = read_platforms(Fields(documents[1], f"{name}: platforms")) if len(documents) == 2 else {}
    pipeline = _read_document(Fields(documents[0], name), platforms)
    check_pipeline(pipeline)
    return pipeline


def _read_document(fields: Fields, platforms: dict[str, Any]) -> Pipeline:
    schema = fields.take("schemaVersion", str)
    if not schema.startswith("2."):
        raise UserError(f"{fields.where}: schemaVersion {schema} is not known", "compile the pipeline with kfp 2")
    fields.take("sdkVersion", str, "")
    fields.take("defaultPipelineRoot", str, "")
    info = fields.fields("pipelineInfo")
    name = info.take("name", str)
    info.take("displayName", str, "")
    description = info.take("description", str, "")
    info.done()
    deployment = fields.fields("deploymentSpec")
    executors = {label: read_executor(body, platforms) for label, body in deployment.fields("executors").items()}
    deployment.done()
    components = {name: _read_component(name, body, executors) for name, body in fields.fields("components").items()}
    root = _read_component("root", fields.fields("root"), executors)
    if not isinstance(root.body, Graph):
        raise UserError(f"{fields.where}: root is not a graph of tasks", "compile a function with @dsl.pipeline")
    fields.done()
    return Pipeline(name, description, root, components)


def _read_component(name: str, fields: Fields, executors: dict[str, Container | Importer]) -> Component:
    inputs, outputs = fields.fields("inputDefinitions"), fields.fields("outputDefinitions")
    component = Component(
        name=name,
        parameters={key: _read_parameter_input(body) for key, body in inputs.fields("parameters").items()},
        artifacts={key: _read_artifact_input(body) for key, body in inputs.fields("artifacts").items()},
        output_parameters={key: _read_parameter_output(body) for key, body in outputs.fields("parameters").items()},
        output_artifacts={key: _read_artifact_output(body) for key, body in outputs.fields("artifacts").items()},
        body=_read_graph(fields.fields("dag")) if fields.has("dag") else _executor(fields, executors),
    )
    inputs.done()
    outputs.done()
    fields.done()
    return component


def _executor(fields: Fields, executors: dict[str, Container | Importer]) -> Container | Importer:
    label = fields.take("executorLabel", str)
    if label not in executors:
        raise UserError(f"{fields.where}: there is no executor {label}", "compile the pipeline again with kfp")
    return executors[label]


def _parameter_type(fields: Fields) -> ParameterType:
    written = fields.take("parameterType", str)
    if written not in set(ParameterType):
        raise UserError(
            f"{fields.where}: the type {written} is not known to KubeRacer", "use another type of parameter"
        )
    return ParameterType(written)


def _read_parameter_input(fields: Fields) -> ParameterInput:
    parameter = ParameterInput(
        type=_parameter_type(fields),
        optional=fields.take("isOptional", bool, False),
        default=fields.take("defaultValue", object, None),
        description=fields.take("description", str, ""),
        literals=tuple(fields.take("literals", list, [])),
    )
    fields.done()
    return parameter


def _artifact_type(fields: Fields) -> str:
    kind = fields.fields("artifactType")
    title = kind.take("schemaTitle", str, "") or kind.take("instanceSchema", str, "")
    kind.take("schemaVersion", str, "")
    kind.done()
    return title


def _read_artifact_input(fields: Fields) -> ArtifactInput:
    artifact = ArtifactInput(
        type=_artifact_type(fields),
        is_list=fields.take("isArtifactList", bool, False),
        optional=fields.take("isOptional", bool, False),
        description=fields.take("description", str, ""),
    )
    fields.done()
    return artifact


def _read_parameter_output(fields: Fields) -> ParameterOutput:
    parameter = ParameterOutput(_parameter_type(fields), fields.take("description", str, ""))
    fields.done()
    return parameter


def _read_artifact_output(fields: Fields) -> ArtifactOutput:
    artifact = ArtifactOutput(
        type=_artifact_type(fields),
        is_list=fields.take("isArtifactList", bool, False),
        description=fields.take("description", str, ""),
        metadata=fields.take("metadata", dict, {}),
    )
    fields.done()
    return artifact


def _read_graph(fields: Fields) -> Graph:
    tasks = {name: read_task(name, body) for name, body in fields.fields("tasks").items()}
    outputs: dict[str, tuple[FromTask, ...]] = {}
    written = fields.fields("outputs")
    for name, body in written.fields("parameters").items():
        if body.has("valueFromOneof"):
            one = body.fields("valueFromOneof")
            selectors = one.take("parameterSelectors", list)
            one.done()
        else:
            selectors = [body.take("valueFromParameter", dict)]
        outputs[name] = tuple(_selector(item, "outputParameterKey", body.where) for item in selectors)
        body.done()
    for name, body in written.fields("artifacts").items():
        selectors = body.take("artifactSelectors", list)
        outputs[name] = tuple(_selector(item, "outputArtifactKey", body.where) for item in selectors)
        body.done()
    written.done()
    fields.done()
    return Graph(tasks, outputs)


def _selector(item: Any, key: str, where: str) -> FromTask:
    fields = Fields(item, where)
    source = FromTask(fields.take("producerSubtask", str), fields.take(key, str))
    fields.done()
    return source
