"""What tasks put out and receive, as Argo names and writes it."""

from dataclasses import fields, replace
from typing import Any

from kuberacer.run.argo.containers import Inputs
from kuberacer.run.argo.expressions import Call, Expression, Name, Text, joined, written
from kuberacer.run.argo.values import Value, passed
from kuberacer.run.spec.check import order, upstream
from kuberacer.run.spec.model import Component, Container, Graph, ParameterType, Pipeline, Task
from kuberacer.run.spec.text import inputs_of

TURN = "turn"  # the task of a loop's template that runs once for each item


def conditional(graph: Graph) -> set[str]:
    """The tasks that may be skipped though nothing failed."""
    found: set[str] = set()
    for name in order(graph):
        if graph.tasks[name].condition is not None or upstream(graph.tasks[name]) & found:
            found.add(name)
    return found


def dependency(task: Task, before: str) -> str:
    if task.always:
        return f"({before}.Succeeded || {before}.Failed || {before}.Errored)"
    return f"{before}.Succeeded"


def received(component: Component, given: dict[str, Value], artifacts: list[str], described: bool) -> Inputs:
    """The same inputs as a component sees them: what the workflow holds itself is not passed on."""
    seen: dict[str, Value] = {}
    names = []
    for name, value in given.items():
        if value.of_the_workflow:
            seen[name] = value
        else:
            names.append(name)
            kind = component.parameters[name].type if name in component.parameters else value.kind
            # What travelled no longer shows that it is the run's own
            seen[name] = replace(passed(name, kind, value.given is not None), of_run=value.of_this_run)
    return Inputs(seen, names, artifacts, described)


def read_by_pod(component: Component) -> set[str]:
    """Inputs that the compiler hands over without the component's knowing: those in its resources and its image."""
    if not isinstance(component.body, Container):
        return set()
    body, resources = component.body, component.body.resources
    texts = [body.image, *(getattr(resources, part.name) for part in fields(resources))]
    return set().union(*(inputs_of(text) for text in texts if text is not None))


def is_text(component: Component, name: str) -> bool:
    return name in component.parameters and component.parameters[name].type is ParameterType.STRING


def kind_of(value: Any) -> ParameterType:
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


def entry(value: Value, key: str) -> Value:
    """One entry of a JSON object; its kind is what the receiving input says."""
    return Value(Call("entry", (value.text, Text(key))), ParameterType.STRING)


def final_status(of: str) -> Expression:
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


def put_out_always(pipeline: Pipeline, component: Component, output: str) -> bool:
    """Whether a component puts out a value however the conditions in it turn out."""
    if not isinstance(component.body, Graph):
        return True
    graph = component.body
    sources = graph.outputs[output]
    if any(source.task in conditional(graph) for source in sources):
        return False
    tasks = [(graph.tasks[source.task], source.output) for source in sources]
    return all(
        task.loop is not None or put_out_always(pipeline, pipeline.components[task.component], name)
        for task, name in tasks
    )


def as_json(value: Value) -> Expression:
    found = Call("json", (value.raw,))
    return found if value.given is None else Call("if", (value.given, found, Text("null")))


def collected(pipeline: Pipeline, component: Component, output: str) -> dict[str, Any]:
    """The list of what the turns put out; Argo lists what each put out as a text, and here that is JSON."""
    texts = output_kind(pipeline, component, output) is ParameterType.STRING
    listed = Call("texts of" if texts else "values of", (Name(f"tasks['{TURN}'].outputs.parameters", output),))
    ran = Call("==", (Name(f"tasks['{TURN}'].status"), Text("Succeeded")))
    return {"name": output, "valueFrom": {"expression": written(Call("if", (ran, listed, Text("[]"))))}}
