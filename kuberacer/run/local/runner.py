"""Walks a pipeline: which task runs when, with what, and what comes of it, as KFP means it."""

import asyncio
import contextlib
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from kuberacer.errors import UserError
from kuberacer.run.local.artifacts import Artifact, digest_of
from kuberacer.run.local.cache import Outputs, TaskCache
from kuberacer.run.local.command import CommandLine, Places
from kuberacer.run.local.environments import Environments
from kuberacer.run.local.step import Step, TaskFailed
from kuberacer.run.local.values import to_text, to_type
from kuberacer.run.spec.check import upstream
from kuberacer.run.spec.condition import holds
from kuberacer.run.spec.model import (
    Component,
    Constant,
    Container,
    FinalStatus,
    FromInput,
    FromTask,
    Graph,
    Importer,
    Pipeline,
    Retry,
    Source,
    Task,
)
from kuberacer.run.spec.text import RunField
from kuberacer.took import PodTime

__all__ = ["LocalRunner", "Observer", "Result", "State", "TaskFailed"]


class State(StrEnum):
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


class Observer(Protocol):
    """Is told what happens. path: the task's name, below those of the groups and loop items that it is in."""

    def started(self, path: str) -> None: ...
    def printed(self, path: str, line: str) -> None: ...
    def held(self, path: str, pods: Sequence[PodTime]) -> None: ...
    def ended(self, path: str, outputs: Outputs, cached: bool) -> None: ...
    def failed(self, path: str, error: UserError) -> None: ...


@dataclass(frozen=True)
class Result:
    state: State
    outputs: Outputs = field(default_factory=dict)
    error: UserError | None = None


@dataclass
class LocalRunner:
    """folder: of this run's logs. extra_environment: for every step, on top of this process's own.

    also: what the outputs of tasks depend on beside their inputs (the store that they write to).
    """

    pipeline: Pipeline
    environments: Environments
    cache: TaskCache
    logs: Path
    run_name: str
    observer: Observer
    extra_environment: Mapping[str, str] = field(default_factory=dict)
    also: str = ""
    go_on: str = "run it again"  # how a person goes on after a fault that is not the pipeline's
    parallel: int = 2

    def __post_init__(self) -> None:
        self._turns = asyncio.Semaphore(self.parallel)
        self._step = Step(
            self.environments,
            self.cache,
            self.logs,
            self.observer,
            self.extra_environment,
            self.also,
            self.go_on,
        )

    async def run(self, arguments: Mapping[str, Any]) -> Outputs:
        """The outputs of the whole pipeline. Raises TaskFailed for the first task that failed."""
        inputs = _typed(self.pipeline.root, dict(arguments), f"pipeline {self.pipeline.name}")
        return await self._graph(self.pipeline.root, self.pipeline.graph, inputs, "")

    async def _graph(self, component: Component, graph: Graph, inputs: Mapping[str, Any], path: str) -> Outputs:
        """Run the tasks of a graph. After a failure only exit handlers start; tasks that are running end first."""
        results: dict[str, Result] = {}
        running: dict[asyncio.Task[Result], str] = {}
        try:
            while len(results) < len(graph.tasks):
                broken = any(result.state is State.FAILED for result in results.values())
                for name in graph.tasks.keys() - results.keys() - set(running.values()):
                    task = graph.tasks[name]
                    match _verdict(task, results, broken):
                        case "run":
                            running[asyncio.create_task(self._task(task, inputs, results, path))] = name
                        case "skip":
                            results[name] = Result(State.SKIPPED)
                if not running:
                    continue
                finished, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for future in finished:
                    results[running.pop(future)] = future.result()
        finally:
            await _cancel(running)
        for result in results.values():
            if result.error is not None:
                raise result.error
        return _graph_outputs(graph, results)

    async def _task(self, task: Task, inputs: Mapping[str, Any], results: Mapping[str, Result], path: str) -> Result:
        path = f"{path}{task.name}"
        try:
            component = self.pipeline.components[task.component]
            given = self._inputs(task, inputs, results)
            if task.condition is not None:
                shown = {name: to_text(value) if _is_text(component, name) else value for name, value in given.items()}
                if not holds(task.condition, shown):
                    return Result(State.SKIPPED)
            if task.loop is not None:
                return Result(State.SUCCEEDED, await self._loop(task, component, given, path))
            return Result(State.SUCCEEDED, await self._retried(task, component, given, path))
        except UserError as error:
            return Result(State.FAILED, error=error)

    async def _loop(self, task: Task, component: Component, inputs: dict[str, Any], path: str) -> Outputs:
        """Every output is the list of the iterations' outputs, in their order."""
        assert task.loop is not None
        items = inputs[task.loop.items] if isinstance(task.loop.items, str) else list(task.loop.items)
        turns = asyncio.Semaphore(task.loop.parallelism or max(len(items), 1))
        failures: list[UserError] = []

        async def iteration(index: int, item: Any) -> Outputs:
            async with turns:
                if failures:
                    return {}
                given = {**inputs, task.loop.item_input: item} if task.loop else inputs
                try:
                    return await self._retried(task, component, given, f"{path}[{index}]")
                except UserError as error:
                    failures.append(error)
                    return {}

        futures = [asyncio.create_task(iteration(index, item)) for index, item in enumerate(items)]
        try:
            outputs = await asyncio.gather(*futures)
        finally:
            await _cancel(dict.fromkeys(futures, path))
        if failures:
            raise failures[0]
        names = component.output_parameters.keys() | component.output_artifacts.keys()
        return {name: [found[name] for found in outputs if name in found] for name in names}

    async def _retried(self, task: Task, component: Component, inputs: dict[str, Any], path: str) -> Outputs:
        retry = task.retry or Retry(0)
        for attempt in itertools.count():
            try:
                return await self._component(task, component, inputs, path)
            except TaskFailed:
                if attempt >= retry.count:
                    raise
                await asyncio.sleep(min(retry.backoff_s * retry.factor**attempt, retry.backoff_max_s))
        raise AssertionError

    async def _component(self, task: Task, component: Component, inputs: dict[str, Any], path: str) -> Outputs:
        inputs = _typed(component, inputs, path)
        match component.body:
            case Graph() as graph:
                return await self._graph(component, graph, inputs, f"{path}.")
            case Container() as container:
                async with self._turns:
                    return await self._step.run(task, component, container, inputs, path, self._run_fields(task, path))
            case Importer() as importer:
                return {"artifact": self._import(importer, inputs, task, path)}

    def _import(self, importer: Importer, inputs: dict[str, Any], task: Task, path: str) -> Artifact:
        uri = inputs[importer.uri.name] if isinstance(importer.uri, FromInput) else self._text(importer.uri, task, {})
        place = Path(uri)
        if "://" not in uri and not place.exists():
            raise UserError(f"{path}: {uri} does not exist", "give the path of a file or folder, or an address")
        digest = digest_of(place) if "://" not in uri else uri
        return Artifact(path, importer.type, uri, importer.metadata, digest)

    def _inputs(self, task: Task, inputs: Mapping[str, Any], results: Mapping[str, Result]) -> dict[str, Any]:
        """What a task is given; inputs of its graph that were not given are left out."""
        given: dict[str, Any] = {}
        texts: dict[str, Constant] = {}
        sources: dict[str, Source] = {**task.parameters, **task.artifacts}
        for name, source in sources.items():
            match source:
                case Constant(tuple()):
                    texts[name] = source
                case Constant(value):
                    given[name] = value
                case FromInput(of, key):
                    if inputs.get(of) is not None:
                        given[name] = _entry(inputs[of], key, of)
                case FromTask(of, output, key):
                    if output not in results[of].outputs:
                        raise UserError(f"{of} did not write its output {output}", f"let {of} always write {output}")
                    given[name] = _entry(results[of].outputs[output], key, output)
                case FinalStatus(of):
                    given[name] = self._final_status(of, results[of])
        return given | {name: self._text(source, task, given) for name, source in texts.items()}

    def _text(self, source: Constant, task: Task, inputs: Mapping[str, Any]) -> str:
        run = self._run_fields(task, task.name)
        return CommandLine(self.pipeline.root, inputs, Places(Path()), run).text(source.value)

    def _final_status(self, of: str, result: Result) -> dict[str, Any]:
        """KFP's PipelineTaskFinalStatus message."""
        status = {"state": result.state.value, "pipelineJobResourceName": self.run_name, "pipelineTaskName": of}
        error = {"error": {"code": 2, "message": result.error.cause}} if result.error else {}
        return status | error

    def _run_fields(self, task: Task, path: str) -> dict[RunField, str]:
        names = dict.fromkeys(RunField, self.run_name)
        return names | {RunField.TASK_NAME: task.name, RunField.TASK_ID: path, RunField.ROOT: str(self.cache.folder)}


def _verdict(task: Task, results: Mapping[str, Result], broken: bool) -> str:
    """Whether a task can run, must wait, or will never run."""
    before = upstream(task)
    states = {results[name].state for name in before if name in results}
    if State.SKIPPED in states or (not task.always and (broken or State.FAILED in states)):
        return "skip"
    return "run" if before <= results.keys() else "wait"


def _typed(component: Component, inputs: dict[str, Any], where: str) -> dict[str, Any]:
    """Inputs as the component's types want them, with its defaults. Raises UserError naming the input."""
    typed = {name: value for name, value in inputs.items() if name in component.artifacts}
    for name, spec in component.parameters.items():
        value = inputs.get(name, spec.default)
        if value is not None:
            typed[name] = to_type(value, spec, f"{where}: the input {name}")
        elif not spec.optional and "-subvar-" not in name:
            raise UserError(f"{where}: the input {name} is missing", f"give {name}")
    for name in inputs.keys() - component.parameters.keys() - component.artifacts.keys():
        if "pipelinechannel--" not in name:  # the compiler also hands over what only conditions and texts read
            raise UserError(f"{where} has no input {name}", f"choose from {', '.join(sorted(component.parameters))}")
    return typed


def _is_text(component: Component, name: str) -> bool:
    return name in component.parameters and component.parameters[name].type == "STRING"


def _entry(value: Any, key: str | None, name: str) -> Any:
    if key is None:
        return value
    if isinstance(value, str):  # the compiler declares the items of a list as texts: objects as JSON
        with contextlib.suppress(ValueError):
            value = json.loads(value)
    if not isinstance(value, dict) or key not in value:
        raise UserError(f"an item of {name} has no {key}: {to_text(value):.80}", f"give every item the key {key}")
    return value[key]


def _graph_outputs(graph: Graph, results: Mapping[str, Result]) -> Outputs:
    outputs: Outputs = {}
    for name, sources in graph.outputs.items():
        for source in sources:
            if source.output in results[source.task].outputs:
                outputs[name] = results[source.task].outputs[source.output]
                break
    return outputs


async def _cancel(running: Mapping[asyncio.Task[Any], str]) -> None:
    for future in running:
        future.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*running, return_exceptions=True)
