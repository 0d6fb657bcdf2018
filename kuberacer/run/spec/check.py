"""Checks that every reference in a pipeline leads somewhere, so that no back end finds out halfway through a run."""

from kuberacer.errors import UserError
from kuberacer.run.spec import condition as conditions
from kuberacer.run.spec import text as texts
from kuberacer.run.spec.model import (
    Component,
    Constant,
    Container,
    FinalStatus,
    FromInput,
    FromTask,
    Graph,
    Pipeline,
    Task,
)

_COMPILER_REMEDY = (
    "kfp's compiler leaves such holes when a loop's item is used in an f-string or two loops are nested: "
    "pass the item itself to a step, or put the inner loop into a pipeline of its own"
)


def check_pipeline(pipeline: Pipeline) -> None:
    """Raises UserError naming the task and the reference that leads nowhere, or a circle of tasks."""
    for component in (pipeline.root, *pipeline.components.values()):
        if isinstance(component.body, Graph):
            _check_graph(pipeline, component, component.body)
        elif isinstance(component.body, Container):
            _check_container(component, component.body)


def _check_graph(pipeline: Pipeline, component: Component, graph: Graph) -> None:
    for task in graph.tasks.values():
        where = f"pipeline {pipeline.name}: task {task.name} in {component.name}"
        if task.component not in pipeline.components:
            raise UserError(f"{where}: there is no component {task.component}", "compile the pipeline again with kfp")
        _check_task(pipeline, component, graph, task, where)
    for name, sources in graph.outputs.items():
        for source in sources:
            _check_output(pipeline, graph, source, f"pipeline {pipeline.name}: output {name} of {component.name}")
    order(graph)


def _check_task(pipeline: Pipeline, component: Component, graph: Graph, task: Task, where: str) -> None:
    wanted = pipeline.components[task.component]
    for name, source in {**task.parameters, **task.artifacts}.items():
        match source:
            case FromInput(key) if key not in component.parameters and key not in component.artifacts:
                raise UserError(f"{where} reads {key}, which {component.name} is not given", _COMPILER_REMEDY)
            case FromTask():
                _check_output(pipeline, graph, source, f"{where}: input {name}")
            case FinalStatus(of) if of not in graph.tasks:
                raise UserError(f"{where} asks for the status of {of}, which is not there", _COMPILER_REMEDY)
            case Constant(tuple() as value):
                for part in value:
                    if isinstance(part, texts.InputParameter) and part.name not in task.parameters:
                        raise UserError(f"{where} reads {part.name}, which it is not given", _COMPILER_REMEDY)
    given = task.parameters.keys() | task.artifacts.keys() | ({task.loop.item_input} if task.loop else set())
    optional = {name for name, spec in wanted.parameters.items() if spec.optional or spec.default is not None}
    optional |= {name for name, artifact in wanted.artifacts.items() if artifact.optional}
    # A loop over constant objects declares each key of its item as an input that nobody reads
    optional |= {name for name in wanted.parameters if task.loop and name.startswith(f"{task.loop.item_input}-subvar-")}
    for name in (wanted.parameters.keys() | wanted.artifacts.keys()) - given - optional:
        raise UserError(f"{where} does not give {name}, which {wanted.name} needs", _COMPILER_REMEDY)
    if task.condition is not None:
        for name in conditions.inputs_of(task.condition) - task.parameters.keys():
            raise UserError(f"{where}: its condition reads {name}, which it is not given", _COMPILER_REMEDY)
    if task.loop is not None and isinstance(task.loop.items, str) and task.loop.items not in given:
        raise UserError(f"{where} loops over {task.loop.items}, which it is not given", _COMPILER_REMEDY)


def _check_output(pipeline: Pipeline, graph: Graph, source: FromTask, where: str) -> None:
    task = graph.tasks.get(source.task)
    if task is None:
        raise UserError(f"{where}: there is no task {source.task}", "compile the pipeline again with kfp")
    producer = pipeline.components.get(task.component)
    if producer and source.output not in producer.output_parameters.keys() | producer.output_artifacts.keys():
        raise UserError(f"{where}: {source.task} has no output {source.output}", "compile the pipeline again with kfp")


def _check_container(component: Component, container: Container) -> None:
    known = component.parameters.keys() | component.artifacts.keys()
    for element in (container.image, *container.command, *container.args):
        for name in texts.inputs_of(element) - known:
            raise UserError(f"{component.name}: its command reads {name}, which is not an input", _COMPILER_REMEDY)
        for part in texts.placeholders(element):
            match part:
                case texts.OutputParameterFile(name) if name not in component.output_parameters:
                    raise UserError(f"{component.name}: {name} is not an output", "compile the pipeline again with kfp")
                case texts.OutputArtifact(name) if name not in component.output_artifacts:
                    raise UserError(f"{component.name}: {name} is not an output", "compile the pipeline again with kfp")


def upstream(task: Task) -> frozenset[str]:
    """The tasks of the same graph that a task waits for."""
    sources = (*task.parameters.values(), *task.artifacts.values())
    return task.after | {source.task for source in sources if isinstance(source, (FromTask, FinalStatus))}


def order(graph: Graph) -> list[str]:
    """The tasks of a graph, each after those that it waits for. Raises UserError on a circle."""
    done: list[str] = []
    left = dict(graph.tasks)
    while left:
        ready = [name for name, task in left.items() if not upstream(task) & left.keys()]
        if not ready:
            raise UserError(f"the tasks {', '.join(sorted(left))} wait for each other", "break the circle")
        done += ready
        for name in ready:
            del left[name]
    return done
