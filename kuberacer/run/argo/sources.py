"""Where the inputs of a graph's tasks come from, as expressions that Argo evaluates in the graph's template."""

import json
from dataclasses import dataclass

from kuberacer.errors import UserError
from kuberacer.run.argo.containers import (
    EXECUTOR_OUTPUT_NAME,
    MADE_BY,
    Inputs,
    made_by,
    metadata_of,
    writes_executor_output,
)
from kuberacer.run.argo.expressions import Call, Expression, Name, Text, joined
from kuberacer.run.argo.tasks import entry, final_status, kind_of, output_kind, put_out_always
from kuberacer.run.argo.travel import ABSENT, arrive
from kuberacer.run.argo.values import Value, clean, text_value
from kuberacer.run.local.values import to_text
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


@dataclass(frozen=True)
class Sources:
    """inputs: what the graph itself is given."""

    pipeline: Pipeline
    graph: Graph
    inputs: Inputs

    def component_of(self, task: str) -> Component:
        return self.pipeline.components[self.graph.tasks[task].component]

    def values(self, task: Task, where: str) -> dict[str, Value]:
        """What a task is given, by the names of its inputs; inputs of the graph that were not given are left out."""
        values: dict[str, Value] = {}
        texts: dict[str, Constant] = {}
        for name, source in task.parameters.items():
            if isinstance(source, Constant) and isinstance(source.value, tuple):
                texts[name] = source
            elif (value := self.value(source)) is not None:
                values[name] = value
        made = {
            name: Value(text_value(source.value, values, task.name, where), ParameterType.STRING)
            for name, source in texts.items()
        }
        return values | made

    def value(self, source: Source) -> Value | None:
        match source:
            case Constant(value):
                return None if value is None else Value(Text(to_text(value)), kind_of(value))
            case FromInput(name, key):
                found = self.inputs.parameters.get(name)
                return found if found is None or key is None else entry(found, key)
            case FromTask(of, output, key):
                found = self.output(of, output)
                return found if key is None else entry(found, key)
            case FinalStatus(of):
                return Value(final_status(of), ParameterType.FINAL_STATUS)

    def output(self, of: str, output: str) -> Value:
        """An output parameter of a task of this graph."""
        component = self.component_of(of)
        raw = Name(f"tasks['{of}'].outputs.parameters", output)
        if self.graph.tasks[of].loop is not None:
            return Value(raw, ParameterType.LIST)
        kind = output_kind(self.pipeline, component, output)
        always = put_out_always(self.pipeline, component, output)
        given = None if always else Call("!=", (raw, Text(ABSENT)))
        return Value(clean(raw, kind), kind, given)

    def artifact(self, source: FromInput | FromTask, where: str) -> str:
        if isinstance(source, FromInput):
            return f"{{{{inputs.artifacts.{source.name}}}}}"
        if self.graph.tasks[source.task].loop is not None:
            raise UserError(
                f"{where} takes the list of artifacts of {source.task}", "collect parameters: Argo has no such lists"
            )
        return f"{{{{tasks.{source.task}.outputs.artifacts.{source.output}}}}}"

    def maker(self, source: FromInput | FromTask) -> Expression:
        """Which pod made an artifact; several artifacts of one pod are told apart by their own names."""
        if isinstance(source, FromInput):
            return Name("inputs.parameters", made_by(source.name))
        outputs = f"tasks['{source.task}'].outputs.parameters"
        if isinstance(self.component_of(source.task).body, Graph):
            return Name(outputs, made_by(source.output))
        return joined([Name(outputs, MADE_BY), Text(f"/{source.output}")])

    def metadata(self, source: FromInput | FromTask) -> Expression:
        """An artifact's metadata as JSON: as the pipeline says and as its step wrote into KFP's executor output."""
        if isinstance(source, FromInput):
            return arrive(Name("inputs.parameters", metadata_of(source.name)))
        outputs = f"tasks['{source.task}'].outputs.parameters"
        component = self.component_of(source.task)
        if not isinstance(component.body, Container):
            return Name(outputs, metadata_of(source.output))
        known = Text(json.dumps(dict(component.output_artifacts[source.output].metadata)))
        if not writes_executor_output(component.body):
            return known
        return Call("metadata", (Name(outputs, EXECUTOR_OUTPUT_NAME), Text(source.output), known))
