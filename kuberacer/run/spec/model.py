"""The model of a pipeline: components, the tasks of their graphs, where each input comes from, when a task runs.

Names are those of the pipeline spec. Nothing here needs kfp.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from kuberacer.run.spec.condition import Condition
from kuberacer.run.spec.text import Element, Text


class ParameterType(StrEnum):
    STRING = "STRING"
    INTEGER = "NUMBER_INTEGER"
    DOUBLE = "NUMBER_DOUBLE"
    BOOLEAN = "BOOLEAN"
    LIST = "LIST"
    STRUCT = "STRUCT"
    FINAL_STATUS = "TASK_FINAL_STATUS"


@dataclass(frozen=True)
class ParameterInput:
    type: ParameterType
    optional: bool = False
    default: Any = None  # None: no default (a JSON null default means the same to KFP)
    description: str = ""
    literals: tuple[Any, ...] = ()  # the only values allowed, when not empty


@dataclass(frozen=True)
class ArtifactInput:
    type: str  # schema title, such as system.Model
    is_list: bool = False
    optional: bool = False
    description: str = ""


@dataclass(frozen=True)
class ParameterOutput:
    type: ParameterType
    description: str = ""


@dataclass(frozen=True)
class ArtifactOutput:
    type: str
    is_list: bool = False
    description: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Constant:
    """A value written in the pipeline. Texts may hold placeholders of the task's own inputs and of the run."""

    value: Any  # text: as Text; other JSON values as they are


@dataclass(frozen=True)
class FromInput:
    """An input of the component whose graph the task is in; key: one entry of that input, a JSON object."""

    name: str
    key: str | None = None


@dataclass(frozen=True)
class FromTask:
    """An output of another task of the same graph; key: one entry of that output, a JSON object."""

    task: str
    output: str
    key: str | None = None


@dataclass(frozen=True)
class FinalStatus:
    """How another task of the same graph ended, for an exit handler."""

    task: str


Source = Constant | FromInput | FromTask | FinalStatus


@dataclass(frozen=True)
class Loop:
    """The task runs once for each item; what it puts out is the list of what its iterations put out."""

    items: tuple[Any, ...] | str  # constants, or the name of the task's own input that holds the list
    item_input: str  # the input that receives the item
    over_artifacts: bool = False
    parallelism: int | None = None


@dataclass(frozen=True)
class Retry:
    count: int  # attempts beyond the first
    backoff_s: float = 0.0
    factor: float = 2.0
    backoff_max_s: float = 3600.0


@dataclass(frozen=True)
class Task:
    name: str
    display_name: str
    component: str
    parameters: Mapping[str, Source]
    artifacts: Mapping[str, FromInput | FromTask]
    after: frozenset[str]  # tasks of the same graph that must have succeeded (ended, when `always` is set)
    condition: Condition | None = None
    always: bool = False  # an exit handler: runs when its upstream tasks ended, however they did
    loop: Loop | None = None
    retry: Retry | None = None
    cache: bool = False


@dataclass(frozen=True)
class Graph:
    """Tasks, and the outputs of the graph: each the first of these sources whose task ran (more than one: OneOf)."""

    tasks: Mapping[str, Task]
    outputs: Mapping[str, tuple[FromTask, ...]]


@dataclass(frozen=True)
class Resources:
    """Texts as Kubernetes writes quantities; they may hold placeholders."""

    cpu_request: Text | None = None
    cpu_limit: Text | None = None
    memory_request: Text | None = None
    memory_limit: Text | None = None
    accelerator_type: Text | None = None
    accelerator_count: Text | None = None


@dataclass(frozen=True)
class Container:
    image: Text
    command: tuple[Element, ...]
    args: tuple[Element, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    resources: Resources = Resources()
    kubernetes: Mapping[str, Any] = field(default_factory=dict)  # kfp-kubernetes' settings by their names in the spec


@dataclass(frozen=True)
class Importer:
    uri: Constant | FromInput
    type: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    reimport: bool = False


@dataclass(frozen=True)
class Component:
    name: str
    parameters: Mapping[str, ParameterInput]
    artifacts: Mapping[str, ArtifactInput]
    output_parameters: Mapping[str, ParameterOutput]
    output_artifacts: Mapping[str, ArtifactOutput]
    body: Container | Graph | Importer


@dataclass(frozen=True)
class Pipeline:
    name: str
    description: str
    root: Component  # its body is a Graph
    components: Mapping[str, Component]

    @property
    def graph(self) -> Graph:
        assert isinstance(self.root.body, Graph)
        return self.root.body
