"""Graphs of tasks as DAG templates of Argo: where values come from, when tasks run, loops."""

import itertools
import json
import re
from dataclasses import fields, replace
from typing import Any

from kuberacer.errors import UserError
from kuberacer.run.argo.containers import (
    MADE_BY,
    Inputs,
    Options,
    container_template,
    declared,
    handed_on,
    made_by,
    parameters_of,
    remembered,
    retry_strategy,
)
from kuberacer.run.argo.expressions import Call, Expression, Name, Text, joined, map_items, tag, written
from kuberacer.run.argo.travel import ABSENT, travel, travelling
from kuberacer.run.argo.values import Value, clean, condition_value, passed, text_value
from kuberacer.run.local.values import to_text, to_type
from kuberacer.run.spec.check import order, upstream
from kuberacer.run.spec.model import (
    Component,
    Constant,
    Container,
    FinalStatus,
    FromInput,
    FromTask,
    Graph,
    ParameterType,
    Pipeline,
    Source,
    Task,
)
from kuberacer.run.spec.text import inputs_of

_TURN = "turn"  # the task of a loop's template that runs once for each item
_ITEMS = "loop--items"


class Templates:
    """Makes the templates of a pipeline; equal ones are made once."""

    def __init__(self, pipeline: Pipeline, options: Options):
        self.pipeline, self.options = pipeline, options
        self.made: dict[str, dict[str, Any]] = {}
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
                if strategy := retry_strategy(task.retry, lost_once_more=False):
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
        self.conditional = self._conditional()

    def template(self, turn: bool = False) -> dict[str, Any]:
        tasks = [self._task(self.graph.tasks[name]) for name in self.graph.tasks]
        return {
            "inputs": declared(self.inputs),
            "outputs": self._outputs(turn),
            # Argo counts a graph as failed for its targets alone: an exit handler would hide what it followed
            "dag": {"target": " ".join(self.graph.tasks), "tasks": tasks},
        }

    def _conditional(self) -> set[str]:
        """The tasks that may be skipped though nothing failed."""
        found: set[str] = set()
        for name in order(self.graph):
            task = self.graph.tasks[name]
            if task.condition is not None or upstream(task) & found:
                found.add(name)
        return found

    def _task(self, task: Task) -> dict[str, Any]:
        component = self.templates.component_of(task)
        where = f"task {task.name} in {self.component.name}"
        values = self._values(task, where)
        read = component.parameters.keys() | _read_by_pod(component)
        given = {name: value for name, value in values.items() if name in read}
        for name, spec in component.parameters.items():
            if spec.default is not None and not (task.loop and name == task.loop.item_input):
                default = to_text(to_type(spec.default, spec, f"{where}: the default of {name}"))
                given[name] = given[name].otherwise(default) if name in given else Value(Text(default), spec.type)
        artifacts = {name: self._artifact(source, where) for name, source in task.artifacts.items()}
        inputs = _received(component, given, list(artifacts))
        for name in artifacts:
            given[made_by(name)] = Value(self._maker(task.artifacts[name]), ParameterType.STRING)
        arguments = {name: value.argument for name, value in given.items() if name in parameters_of(inputs)}
        if task.loop is None:
            name = self.templates.component(task, component, inputs)
        else:
            arguments[_ITEMS] = self._items(task, values, where)
            name = self._loop(task, component, inputs)
        made: dict[str, Any] = {
            "name": task.name,
            "template": name,
            "depends": " && ".join(_dependency(task, before) for before in sorted(upstream(task))),
            "arguments": {
                "parameters": [{"name": name, "value": value} for name, value in arguments.items()],
                "artifacts": [{"name": name, "from": place, "optional": True} for name, place in artifacts.items()],
            },
        }
        if task.condition is not None:
            kinds = {
                name: Value(value.raw, ParameterType.STRING, value.given) if _is_text(component, name) else value
                for name, value in values.items()
            }
            made["when"] = tag(condition_value(task.condition, kinds, where))
        return made

    def _values(self, task: Task, where: str) -> dict[str, Value]:
        """What a task is given, by the names of its inputs; inputs of the graph that were not given are left out."""
        values: dict[str, Value] = {}
        texts: dict[str, Constant] = {}
        for name, source in task.parameters.items():
            if isinstance(source, Constant) and isinstance(source.value, tuple):
                texts[name] = source
            elif (value := self._value(source)) is not None:
                values[name] = value
        made = {
            name: Value(text_value(source.value, values, task.name, where), ParameterType.STRING)
            for name, source in texts.items()
        }
        return values | made

    def _value(self, source: Source) -> Value | None:
        match source:
            case Constant(value):
                return None if value is None else Value(Text(to_text(value)), _kind(value))
            case FromInput(name, key):
                found = self.inputs.parameters.get(name)
                return found if found is None or key is None else _entry(found, key)
            case FromTask(of, output, key):
                found = self._output(of, output)
                return found if key is None else _entry(found, key)
            case FinalStatus(of):
                return Value(_final_status(of), ParameterType.FINAL_STATUS)

    def _output(self, of: str, output: str) -> Value:
        """An output parameter of a task of this graph."""
        component = self.templates.component_of(self.graph.tasks[of])
        raw = Name(f"tasks['{of}'].outputs.parameters", output)
        if self.graph.tasks[of].loop is not None:
            return Value(raw, ParameterType.LIST)
        kind = output_kind(self.templates.pipeline, component, output)
        given = None
        if isinstance(component.body, Graph):
            given = Call("!=", (raw, Text(ABSENT)))
            if kind is not ParameterType.STRING and _always(self.templates.pipeline, component, output):
                given = None
        return Value(clean(raw, kind), kind, given)

    def _artifact(self, source: FromInput | FromTask, where: str) -> str:
        if isinstance(source, FromInput):
            return f"{{{{inputs.artifacts.{source.name}}}}}"
        if self.graph.tasks[source.task].loop is not None:
            raise UserError(
                f"{where} takes the list of artifacts of {source.task}", "collect parameters: Argo has no such lists"
            )
        return f"{{{{tasks.{source.task}.outputs.artifacts.{source.output}}}}}"

    def _maker(self, source: FromInput | FromTask) -> Expression:
        """Which pod made an artifact; several artifacts of one pod are told apart by their own names."""
        if isinstance(source, FromInput):
            return Name("inputs.parameters", made_by(source.name))
        outputs = f"tasks['{source.task}'].outputs.parameters"
        if isinstance(self.templates.component_of(self.graph.tasks[source.task]).body, Graph):
            return Name(outputs, made_by(source.output))
        return joined([Name(outputs, MADE_BY), Text(f"/{source.output}")])

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
        inner = Inputs(parameters, [*inputs.received, item], inputs.artifacts)
        turn = self.templates.component(task, component, inner, turn=True)
        given = handed_on(inputs)
        template: dict[str, Any] = {
            "inputs": declared(Inputs({}, [*inputs.received, _ITEMS], inputs.artifacts)),
            "outputs": {
                "parameters": [
                    _collected(self.templates.pipeline, component, name) for name in component.output_parameters
                ]
            },
            "dag": {
                "tasks": [
                    {
                        "name": _TURN,
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
                maker = self._first(sources, [self._maker(source) for source in sources], Text(""))
                parameters.append({"name": made_by(name), "valueFrom": {"expression": written(maker)}})
        return {"parameters": parameters, "artifacts": artifacts}

    def _chosen(self, sources: tuple[FromTask, ...], turn: bool) -> Expression:
        """The output of the first of several tasks that ran. Of a turn: as JSON, null when none did."""
        values = [self._output(source.task, source.output) for source in sources]
        if turn:
            return self._first(sources, [_as_json(value) for value in values], Text("null"))
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
            return {"from": self._artifact(sources[0], where)}
        *firsts, last = [(source, f"tasks['{source.task}'].outputs.artifacts['{source.output}']") for source in sources]
        expression = last[1]
        for source, place in reversed(firsts):
            self._artifact(source, where)
            expression = f"tasks['{source.task}'].status == 'Succeeded' ? {place} : ({expression})"
        return {"fromExpression": expression}


def _as_json(value: Value) -> Expression:
    found = Call("json", (value.raw,))
    return found if value.given is None else Call("if", (value.given, found, Text("null")))


def _received(component: Component, given: dict[str, Value], artifacts: list[str]) -> Inputs:
    """The same inputs as a component sees them: what the workflow holds itself is not passed on."""
    seen: dict[str, Value] = {}
    received = []
    for name, value in given.items():
        if value.of_the_workflow:
            seen[name] = value
        else:
            received.append(name)
            kind = component.parameters[name].type if name in component.parameters else value.kind
            # What travelled no longer shows that it is the run's own
            seen[name] = replace(passed(name, kind, value.given is not None), of_run=value.of_this_run)
    return Inputs(seen, received, artifacts)


def _dependency(task: Task, before: str) -> str:
    if task.always:
        return f"({before}.Succeeded || {before}.Failed || {before}.Errored)"
    return f"{before}.Succeeded"


def _read_by_pod(component: Component) -> set[str]:
    """Inputs that the compiler hands over without the component's knowing: those in its resources and its image."""
    if not isinstance(component.body, Container):
        return set()
    body, resources = component.body, component.body.resources
    texts = [body.image, *(getattr(resources, part.name) for part in fields(resources))]
    return set().union(*(inputs_of(text) for text in texts if text is not None))


def _is_text(component: Component, name: str) -> bool:
    return name in component.parameters and component.parameters[name].type is ParameterType.STRING


def _entry(value: Value, key: str) -> Value:
    """One entry of a JSON object; its kind is what the receiving input says."""
    return Value(Call("entry", (value.text, Text(key))), ParameterType.STRING)


def _kind(value: Any) -> ParameterType:
    match value:
        case bool():
            return ParameterType.BOOLEAN
        case int() | float():
            return ParameterType.DOUBLE
        case list():
            return ParameterType.LIST
        case dict():
            return ParameterType.STRUCT
        case _:
            return ParameterType.STRING


def _final_status(of: str) -> Expression:
    """KFP's PipelineTaskFinalStatus message, as JSON."""
    status = Name(f"tasks['{of}'].status")
    names = joined([Text('","pipelineJobResourceName":"'), Name("workflow.name"), Text(f'","pipelineTaskName":"{of}"')])
    error = joined([Text(',"error":{"code":2,"message":"'), Text(f"{of} ended as "), status, Text('"}}')])
    return Call(
        "if",
        (
            Call("==", (status, Text("Succeeded"))),
            joined([Text('{"state":"SUCCEEDED'), names, Text("}")]),
            joined([Text('{"state":"FAILED'), names, error]),
        ),
    )


def output_kind(pipeline: Pipeline, component: Component, output: str) -> ParameterType:
    """The type of what one run of a component puts out: the compiler declares a loop's outputs as lists already."""
    if isinstance(component.body, Graph) and output in component.body.outputs:
        source = component.body.outputs[output][0]
        task = component.body.tasks[source.task]
        if task.loop is not None:
            return ParameterType.LIST
        return output_kind(pipeline, pipeline.components[task.component], source.output)
    return component.output_parameters[output].type


def _always(pipeline: Pipeline, component: Component, output: str) -> bool:
    """Whether a graph puts out a value however its conditions turn out."""
    if not isinstance(component.body, Graph):
        return True
    tasks = component.body.tasks
    return all(
        tasks[source.task].condition is None
        and not any(tasks[before].condition for before in upstream(tasks[source.task]))
        and (
            tasks[source.task].loop is not None
            or _always(pipeline, pipeline.components[tasks[source.task].component], source.output)
        )
        for source in component.body.outputs[output]
    )


def _collected(pipeline: Pipeline, component: Component, output: str) -> dict[str, Any]:
    """The list of what the turns put out; Argo lists what each put out as a text, and here that is JSON."""
    texts = output_kind(pipeline, component, output) is ParameterType.STRING
    listed = Call("texts of" if texts else "values of", (Name(f"tasks['{_TURN}'].outputs.parameters", output),))
    ran = Call("==", (Name(f"tasks['{_TURN}'].status"), Text("Succeeded")))
    return {"name": output, "valueFrom": {"expression": written(Call("if", (ran, listed, Text("[]"))))}}
