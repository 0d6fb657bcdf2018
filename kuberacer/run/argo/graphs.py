"""Graphs of tasks as DAG templates of Argo: where values come from, when tasks run, loops."""

import itertools
import json
import re
from dataclasses import replace
from typing import Any

from kuberacer.errors import UserError
from kuberacer.run.argo.containers import (
    Inputs,
    Options,
    container_template,
    declared,
    handed_on,
    made_by,
    metadata_of,
    reads_metadata,
    remembered,
    retry_strategy,
)
from kuberacer.run.argo.expressions import Call, Expression, Name, Text, map_items, tag, written
from kuberacer.run.argo.sources import Sources
from kuberacer.run.argo.tasks import (
    TURN,
    as_json,
    collected,
    conditional,
    dependency,
    is_text,
    read_by_pod,
    received,
)
from kuberacer.run.argo.travel import ABSENT, travel, travelling
from kuberacer.run.argo.values import Value, condition_value, passed
from kuberacer.run.local.values import to_text, to_type
from kuberacer.run.spec.check import upstream
from kuberacer.run.spec.model import (
    Component,
    Container,
    FromTask,
    Graph,
    ParameterType,
    Pipeline,
    Task,
)

_ITEMS = "loop--items"


class Templates:
    """Makes the templates of a pipeline; equal ones are made once."""

    def __init__(self, pipeline: Pipeline, options: Options):
        self.pipeline, self.options = pipeline, options
        self.made: dict[str, dict[str, Any]] = {}
        bodies = [component.body for component in pipeline.components.values()]
        self.described = any(isinstance(body, Container) and reads_metadata(body) for body in bodies)
        self._names: dict[str, str] = {}

    def add(self, wanted: str, template: dict[str, Any]) -> str:
        """The name of the template: the one wanted, with a number when another one has it, or that of an equal one."""
        content = json.dumps(template, sort_keys=True)
        if content in self._names:
            return self._names[content]
        base = re.sub(r"[^a-z0-9-]", "-", wanted.removeprefix("comp-").lower()).strip("-")
        numbered = (f"{base}-{number}" for number in itertools.count(2))
        name = next(name for name in itertools.chain([base], numbered) if name not in self.made)
        self.made[name] = {"name": name, **template}
        self._names[content] = name
        return name

    def component(self, task: Task, component: Component, inputs: Inputs, turn: bool = False) -> str:
        """The template that runs a component with inputs. turn: of a loop, whose outputs are collected."""
        match component.body:
            case Container() as container:
                if turn:
                    raise UserError(f"{task.name}: a loop over one component without a graph", "put it into a pipeline")
                template = container_template(task, component, container, inputs, self.options)
                name = self.add(component.name, template)
                around = remembered(name, task, template, inputs, self.options)
                return name if around is None else self.add(f"{name}-cached", around)
            case Graph() as graph:
                template = GraphTemplate(self, component, graph, inputs).template(turn)
                if strategy := retry_strategy(task.retry, repeat_lost=False):
                    template["retryStrategy"] = strategy
            case _:
                raise UserError(
                    f"{task.name}: dsl.importer is not translated to Argo",
                    "let the first step fetch the file, from an address that it is given",
                )
        return self.add(component.name, template)

    def component_of(self, task: Task) -> Component:
        return self.pipeline.components[task.component]


class GraphTemplate:
    """One DAG template."""

    def __init__(self, templates: Templates, component: Component, graph: Graph, inputs: Inputs):
        self.templates, self.component, self.graph, self.inputs = templates, component, graph, inputs
        self.conditional = conditional(graph)
        self.sources = Sources(templates.pipeline, graph, inputs)

    def template(self, turn: bool = False) -> dict[str, Any]:
        tasks = [self._task(self.graph.tasks[name]) for name in self.graph.tasks]
        return {
            "inputs": declared(self.inputs),
            "outputs": self._outputs(turn),
            # Argo counts a graph as failed for its targets alone: an exit handler would hide what it followed
            "dag": {"target": " ".join(self.graph.tasks), "tasks": tasks},
        }

    def _task(self, task: Task) -> dict[str, Any]:
        component = self.templates.component_of(task)
        where = f"task {task.name} in {self.component.name}"
        values = self.sources.values(task, where)
        read = component.parameters.keys() | read_by_pod(component)
        given = {name: value for name, value in values.items() if name in read}
        for name, spec in component.parameters.items():
            if spec.default is not None and not (task.loop and name == task.loop.item_input):
                default = to_text(to_type(spec.default, spec, f"{where}: the default of {name}"))
                given[name] = given[name].otherwise(default) if name in given else Value(Text(default), spec.type)
        artifacts = {name: self.sources.artifact(source, where) for name, source in task.artifacts.items()}
        inputs = received(component, given, list(artifacts), self.templates.described)
        for name in artifacts:
            given[made_by(name)] = Value(self.sources.maker(task.artifacts[name]), ParameterType.STRING)
            given[metadata_of(name)] = Value(self.sources.metadata(task.artifacts[name]), ParameterType.STRING)
        arguments = {name: value.argument for name, value in given.items() if name in inputs.names}
        if task.loop is None:
            name = self.templates.component(task, component, inputs)
        else:
            arguments[_ITEMS] = self._items(task, values, where)
            name = self._loop(task, component, inputs)
        made: dict[str, Any] = {
            "name": task.name,
            "template": name,
            "depends": " && ".join(dependency(task, before) for before in sorted(upstream(task))),
            "arguments": {
                "parameters": [{"name": name, "value": value} for name, value in arguments.items()],
                "artifacts": [{"name": name, "from": place, "optional": True} for name, place in artifacts.items()],
            },
        }
        if task.condition is not None:
            kinds = {
                name: Value(value.raw, ParameterType.STRING, value.given) if is_text(component, name) else value
                for name, value in values.items()
            }
            made["when"] = tag(condition_value(task.condition, kinds, where))
        return made

    def _items(self, task: Task, values: dict[str, Value], where: str) -> str:
        assert task.loop is not None
        if task.loop.over_artifacts:
            raise UserError(f"{where} loops over artifacts", "loop over parameters: Argo has no lists of artifacts")
        if isinstance(task.loop.items, str):
            return tag(map_items(values[task.loop.items].text, travel))
        return json.dumps([travelling(to_text(item)) for item in task.loop.items])

    def _loop(self, task: Task, component: Component, inputs: Inputs) -> str:
        """A template of its own around the turns: Argo limits how many run at once, and collects, only there."""
        assert task.loop is not None
        item, kind = task.loop.item_input, component.parameters[task.loop.item_input].type
        parameters = {**inputs.parameters, item: passed(item, kind, may_be_absent=False)}
        inner = replace(inputs, parameters=parameters, received=[*inputs.received, item])
        turn = self.templates.component(task, component, inner, turn=True)
        given = handed_on(inputs)
        template: dict[str, Any] = {
            "inputs": declared(replace(inputs, received=[*inputs.received, _ITEMS])),
            "outputs": {
                "parameters": [
                    collected(self.templates.pipeline, component, name) for name in component.output_parameters
                ]
            },
            "dag": {
                "tasks": [
                    {
                        "name": TURN,
                        "template": turn,
                        "withParam": f"{{{{inputs.parameters.{_ITEMS}}}}}",
                        "arguments": {
                            "parameters": [*given["parameters"], {"name": item, "value": "{{item}}"}],
                            "artifacts": given["artifacts"],
                        },
                    }
                ]
            },
        }
        if task.loop.parallelism:
            template["parallelism"] = task.loop.parallelism
        return self.templates.add(task.name, template)

    def _outputs(self, turn: bool) -> dict[str, Any]:
        parameters, artifacts = [], []
        for name, sources in self.graph.outputs.items():
            if name in self.component.output_parameters:
                expression = self._chosen(sources, turn)
                parameters.append({"name": name, "valueFrom": {"expression": written(expression)}})
            elif not turn:  # lists of artifacts do not exist
                artifacts.append({"name": name, "optional": True, **self._chosen_artifact(sources, name)})
                maker = self._first(sources, [self.sources.maker(source) for source in sources], Text(""))
                parameters.append({"name": made_by(name), "valueFrom": {"expression": written(maker)}})
                if self.templates.described:
                    found = self._first(sources, [self.sources.metadata(source) for source in sources], Text("{}"))
                    parameters.append({"name": metadata_of(name), "valueFrom": {"expression": written(found)}})
        return {"parameters": parameters, "artifacts": artifacts}

    def _chosen(self, sources: tuple[FromTask, ...], turn: bool) -> Expression:
        """The output of the first of several tasks that ran. Of a turn: as JSON, null when none did."""
        values = [self.sources.output(source.task, source.output) for source in sources]
        if turn:
            return self._first(sources, [as_json(value) for value in values], Text("null"))
        return self._first(sources, [value.raw for value in values], Text(ABSENT))

    def _first(self, sources: tuple[FromTask, ...], found: list[Expression], otherwise: Expression) -> Expression:
        for source, one in reversed(list(zip(sources, found, strict=True))):
            if source.task in self.conditional:
                ran = Call("==", (Name(f"tasks['{source.task}'].status"), Text("Succeeded")))
                otherwise = Call("if", (ran, one, otherwise))
            else:
                otherwise = one
        return otherwise

    def _chosen_artifact(self, sources: tuple[FromTask, ...], name: str) -> dict[str, str]:
        where = f"output {name} of {self.component.name}"
        if len(sources) == 1:
            return {"from": self.sources.artifact(sources[0], where)}
        *firsts, last = [(source, f"tasks['{source.task}'].outputs.artifacts['{source.output}']") for source in sources]
        expression = last[1]
        for source, place in reversed(firsts):
            self.sources.artifact(source, where)
            expression = f"tasks['{source.task}'].status == 'Succeeded' ? {place} : ({expression})"
        return {"fromExpression": expression}
