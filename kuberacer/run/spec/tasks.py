"""Reads the tasks of a graph: where inputs come from, when a task runs, how often."""

import json
import re
from typing import Any

from kuberacer.errors import UserError
from kuberacer.run.spec.condition import parse_condition
from kuberacer.run.spec.fields import Fields
from kuberacer.run.spec.model import Constant, FinalStatus, FromInput, FromTask, Loop, Retry, Source, Task
from kuberacer.run.spec.text import parse_text

_SELECTOR = re.compile(r"""parseJson\(string_value\)\["([^"]+)"\]""")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)s")


def read_task(name: str, fields: Fields) -> Task:
    info, component = fields.fields("taskInfo"), fields.fields("componentRef")
    inputs, caching, trigger = fields.fields("inputs"), fields.fields("cachingOptions"), fields.fields("triggerPolicy")
    condition, strategy = trigger.take("condition", str, ""), trigger.take("strategy", str, "")
    if strategy not in ("", "ALL_UPSTREAM_TASKS_SUCCEEDED", "ALL_UPSTREAM_TASKS_COMPLETED"):
        raise UserError(f"{fields.where}: the strategy {strategy} is not known to KubeRacer", "leave it out")
    task = Task(
        name=name,
        display_name=info.take("name", str, name),
        component=component.take("name", str),
        parameters={key: _read_parameter(body) for key, body in inputs.fields("parameters").items()},
        artifacts={key: _read_artifact(body) for key, body in inputs.fields("artifacts").items()},
        after=frozenset(fields.take("dependentTasks", list, [])),
        condition=parse_condition(condition, fields.where) if condition else None,
        always=strategy == "ALL_UPSTREAM_TASKS_COMPLETED",
        loop=_read_loop(fields),
        retry=_read_retry(fields.fields("retryPolicy")) if fields.has("retryPolicy") else None,
        cache=caching.take("enableCache", bool, False),
    )
    caching.take("cacheKey", str, "")
    for part in (info, component, inputs, caching, trigger, fields):
        part.done()
    return task


def _read_parameter(fields: Fields) -> Source:
    selector = fields.take("parameterExpressionSelector", str, "")
    match = _SELECTOR.fullmatch(selector)
    if selector and not match:
        raise UserError(f"{fields.where}: the selector {selector} is not known to KubeRacer", "pass the whole value")
    key = match[1] if match else None
    source: Source
    if fields.has("componentInputParameter"):
        source = FromInput(fields.take("componentInputParameter", str), key)
    elif fields.has("taskOutputParameter"):
        output = fields.fields("taskOutputParameter")
        source = FromTask(output.take("producerTask", str), output.take("outputParameterKey", str), key)
        output.done()
    elif fields.has("taskFinalStatus"):
        status = fields.fields("taskFinalStatus")
        source = FinalStatus(status.take("producerTask", str))
        status.done()
    else:
        runtime = fields.fields("runtimeValue")
        value = runtime.take("constant", object)
        source = Constant(parse_text(value, fields.where) if isinstance(value, str) else value)
        runtime.done()
    fields.done()
    return source


def _read_artifact(fields: Fields) -> FromInput | FromTask:
    source: FromInput | FromTask
    if fields.has("componentInputArtifact"):
        source = FromInput(fields.take("componentInputArtifact", str))
    else:
        output = fields.fields("taskOutputArtifact")
        source = FromTask(output.take("producerTask", str), output.take("outputArtifactKey", str))
        output.done()
    fields.done()
    return source


def _read_loop(fields: Fields) -> Loop | None:
    policy = fields.fields("iteratorPolicy")
    parallelism = policy.take("parallelismLimit", int, 0) or None
    policy.done()
    for kind, key in (("parameterIterator", "inputParameter"), ("artifactIterator", "inputArtifact")):
        if not fields.has(kind):
            continue
        iterator = fields.fields(kind)
        items = iterator.fields("items")
        loop = Loop(
            items=tuple(json.loads(items.take("raw", str))) if items.has("raw") else items.take(key, str),
            item_input=iterator.take("itemInput", str),
            over_artifacts=kind == "artifactIterator",
            parallelism=parallelism,
        )
        items.done()
        iterator.done()
        return loop
    return None


def _read_retry(fields: Fields) -> Retry:
    retry = Retry(
        count=fields.take("maxRetryCount", int, 0),
        backoff_s=_seconds(fields, "backoffDuration", 0.0),
        factor=float(fields.take("backoffFactor", (int, float), 2.0)),
        backoff_max_s=_seconds(fields, "backoffMaxDuration", 3600.0),
    )
    fields.done()
    return retry


def _seconds(fields: Fields, key: str, default: float) -> float:
    written: Any = fields.take(key, str, None)
    if written is None:
        return default
    match = _DURATION.fullmatch(written)
    if not match:
        raise UserError(f"{fields.where}: {key} {written!r} is not a duration", 'write seconds, such as "30s"')
    return float(match[1])
