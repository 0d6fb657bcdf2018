"""KFP's metadata store (ML Metadata), read over gRPC: which steps a run had, what they put out, and where that lies.

KFP's own API tells of neither. The published client pins an old Python; the few messages that are needed are declared
here, by the names and numbers of ml_metadata's metadata_store.proto and metadata_store_service.proto.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from functools import cache
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory, struct_pb2

from kuberacer.errors import UserError

SERVICE = "ml_metadata.MetadataStoreService"
OUTPUT_EVENTS = (1, 4)  # DECLARED_OUTPUT, OUTPUT
TIMEOUT_S = 30
_INT64, _INT32, _STRING, _BOOL, _DOUBLE = "int64", "int32", "string", "bool", "double"

# message -> {field: (number, type)}; [type]: repeated, {type}: map from string
_MESSAGES: dict[str, dict[str, tuple[int, Any]]] = {
    "Value": {
        "int_value": (1, _INT64),
        "double_value": (2, _DOUBLE),
        "string_value": (3, _STRING),
        "struct_value": (4, "google.protobuf.Struct"),
        "bool_value": (6, _BOOL),
    },
    "Artifact": {"id": (1, _INT64), "type_id": (2, _INT64), "uri": (3, _STRING), "type": (8, _STRING)}
    | {"properties": (4, {"Value"}), "custom_properties": (5, {"Value"})},
    "Step": {"index": (1, _INT64), "key": (2, _STRING)},
    "Path": {"steps": (1, ["Step"])},
    "Event": {"artifact_id": (1, _INT64), "execution_id": (2, _INT64), "path": (3, "Path"), "type": (4, _INT32)},
    "Execution": {"id": (1, _INT64), "type_id": (2, _INT64), "last_known_state": (3, _INT32), "type": (7, _STRING)}
    | {"custom_properties": (5, {"Value"}), "create_time_since_epoch": (8, _INT64)}
    | {"last_update_time_since_epoch": (9, _INT64)},
    "Context": {"id": (1, _INT64), "name": (3, _STRING)},
    "ListOperationOptions": {"max_result_size": (1, _INT32), "next_page_token": (3, _STRING)},
    "GetContextByTypeAndNameRequest": {"type_name": (1, _STRING), "context_name": (2, _STRING)},
    "GetContextByTypeAndNameResponse": {"context": (1, "Context")},
    "GetExecutionsByContextRequest": {"context_id": (1, _INT64), "options": (2, "ListOperationOptions")},
    "GetExecutionsByContextResponse": {"executions": (1, ["Execution"]), "next_page_token": (2, _STRING)},
    "GetEventsByExecutionIDsRequest": {"execution_ids": (1, [_INT64])},
    "GetEventsByExecutionIDsResponse": {"events": (1, ["Event"])},
    "GetArtifactsByIDRequest": {"artifact_ids": (1, [_INT64])},
    "GetArtifactsByIDResponse": {"artifacts": (1, ["Artifact"])},
}


class Known(IntEnum):
    """last_known_state of an execution."""

    UNKNOWN = 0
    NEW = 1
    RUNNING = 2
    COMPLETE = 3
    FAILED = 4
    CACHED = 5
    CANCELED = 6


@dataclass(frozen=True)
class Execution:
    """One execution of a task or of a group of tasks. parameters: what it put out, by name."""

    id: int
    kind: str  # system.ContainerExecution, system.DAGExecution, system.ImporterExecution
    task: str
    state: Known
    parent: int
    pod: str = ""
    iteration: int | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StoredArtifact:
    id: int
    type: str
    uri: str
    metadata: dict[str, Any]
    session: str = ""  # newer KFP: which store it lies in, as JSON


class Metadata:
    """address: host:port of the service metadata-grpc-service. A context manager."""

    def __init__(self, address: str):
        limit = 256 << 20
        self._channel = grpc.insecure_channel(address, [("grpc.max_receive_message_length", limit)])

    def __enter__(self) -> "Metadata":
        return self

    def __exit__(self, *error: object) -> None:
        self._channel.close()

    def executions(self, run_id: str) -> list[Execution]:
        """Of all tasks of a run, in the order of their making; none before the run has begun."""
        answer = self._call(
            "GetContextByTypeAndName", {"type_name": "system.PipelineRun", "context_name": run_id}, absent_is_empty=True
        )
        context = answer.context.id
        if not context:
            return []
        found: list[Any] = []
        token = ""
        while True:
            options = {"max_result_size": 100, "next_page_token": token}
            answer = self._call("GetExecutionsByContext", {"context_id": context, "options": options})
            found += answer.executions
            token = answer.next_page_token
            if not token:
                break
        return sorted((_execution(each) for each in found), key=lambda each: each.id)

    def outputs(self, execution: int) -> dict[str, list[StoredArtifact]]:
        """Artifacts that an execution put out, by the outputs' names."""
        events = self._call("GetEventsByExecutionIDs", {"execution_ids": [execution]}).events
        names = {
            event.artifact_id: next((step.key for step in event.path.steps if step.key), "")
            for event in events
            if event.type in OUTPUT_EVENTS
        }
        found: dict[str, list[StoredArtifact]] = {}
        if names:
            for each in self._call("GetArtifactsByID", {"artifact_ids": sorted(names)}).artifacts:
                found.setdefault(names[each.id], []).append(_artifact(each))
        return found

    def _call(self, method: str, request: dict[str, Any], absent_is_empty: bool = False) -> Any:
        wanted, response = _class(f"{method}Request"), _class(f"{method}Response")
        call = self._channel.unary_unary(
            f"/{SERVICE}/{method}",
            request_serializer=wanted.SerializeToString,
            response_deserializer=response.FromString,
        )
        try:
            return call(wanted(**request), timeout=TIMEOUT_S, wait_for_ready=True)
        except grpc.RpcError as error:
            code, words = error.code(), error.details()
            if absent_is_empty and code is grpc.StatusCode.NOT_FOUND:
                return response()
            raise UserError(
                f"KFP's metadata store cannot {method}: {words or code}", "see the pod of metadata-grpc-deployment"
            ) from error


def _execution(message: Any) -> Execution:
    properties = {name: _value(value) for name, value in message.custom_properties.items()}
    outputs = properties.get("outputs")
    iteration = properties.get("iteration_index")
    return Execution(
        id=message.id,
        kind=message.type,
        task=str(properties.get("task_name", "")),
        state=Known(message.last_known_state),
        parent=int(properties.get("parent_dag_id", 0) or 0),
        pod=str(properties.get("pod_name", "")),
        iteration=None if iteration is None else int(iteration),
        parameters=outputs if isinstance(outputs, dict) else {},
        properties=properties,
    )


def _artifact(message: Any) -> StoredArtifact:
    metadata = {name: _value(value) for name, value in message.custom_properties.items()}
    session = str(metadata.pop("store_session_info", ""))
    metadata.pop("display_name", None)
    return StoredArtifact(message.id, message.type, message.uri, metadata, session)


def _value(value: Any) -> Any:
    for each, found in value.ListFields():
        return json_format.MessageToDict(found) if each.name == "struct_value" else found
    return None


@cache
def _class(name: str) -> Any:
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"ml_metadata.{name}"))


@cache
def _pool() -> Any:
    """The messages above as descriptors, in a pool of their own."""
    file = descriptor_pb2.FileDescriptorProto(name="ml_metadata_subset.proto", package="ml_metadata", syntax="proto2")
    file.dependency.append("google/protobuf/struct.proto")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for each, (number, kind) in fields.items():
            _declare(message, name, each, number, kind)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(struct_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    return pool


def _declare(message: Any, owner: str, name: str, number: int, kind: Any) -> None:
    entry = message.field.add(name=name, number=number, label=3 if isinstance(kind, list | set) else 1)
    if isinstance(kind, set):
        (of,) = kind
        nested = message.nested_type.add(name="".join(word.title() for word in name.split("_")) + "Entry")
        nested.options.map_entry = True
        nested.field.add(name="key", number=1, label=1, type=9)
        nested.field.add(name="value", number=2, label=1, type=11, type_name=f".ml_metadata.{of}")
        entry.type, entry.type_name = 11, f".ml_metadata.{owner}.{nested.name}"
        return
    kind = kind[0] if isinstance(kind, list) else kind
    numbers = {_DOUBLE: 1, _INT64: 3, _INT32: 5, _BOOL: 8, _STRING: 9}
    if kind in numbers:
        entry.type = numbers[kind]
    else:
        entry.type, entry.type_name = 11, f".{kind}" if "." in kind else f".ml_metadata.{kind}"
