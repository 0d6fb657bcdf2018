"""Requests of a policy: their JSON schema, made of what it sees, and the way from a body to the network's arrays."""

import math
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, Strict, TypeAdapter, ValidationError, create_model

from kuberacer.serve.pictures import PictureError, frames
from kuberacer.serve.policy import Policy, Sensor

MOST_INSTANCES = 128
MOST_BODY, LEAST_BODY = 4 << 20, 64 << 10  # bytes of a request that are read, at most and at least
FARTHEST = 1e9  # values are finite, and such that the network's own numbers stay finite
_DIGITS = 24  # of a number in JSON, with what is between two


class RequestError(Exception):
    """A body that is no request of this policy. cause: says where and what, in one line."""

    def __init__(self, cause: str):
        super().__init__(cause)
        self.cause = cause


class Requests:
    """Reads bodies {"instances": [observation, …]}. An observation is a nested list, of a camera {"image": base64} too;
    of several sensors an object with one of these for each."""

    def __init__(self, policy: Policy):
        self.sensors = policy.sensors
        values = sum(math.prod(sensor.shape) for sensor in self.sensors)
        self.most_body = min(MOST_BODY, max(LEAST_BODY, MOST_INSTANCES * values * _DIGITS))
        instance = _observation(self.sensors)
        instances = Annotated[list[instance], Field(min_length=1, max_length=MOST_INSTANCES)]  # type: ignore[valid-type]
        self._body: TypeAdapter[Any] = TypeAdapter(_closed("PredictRequest", instances=(instances, ...)))
        self._instance: TypeAdapter[Any] = TypeAdapter(instance)

    def schema(self) -> dict[str, Any]:
        """JSON schema of a body; definitions under components."""
        return self._body.json_schema(ref_template="#/components/schemas/{model}")

    def read(self, body: bytes) -> list[Any]:
        """The instances of a body, which arrays() takes. Raises RequestError."""
        try:
            return self._body.validate_json(body).instances
        except ValidationError as error:
            raise RequestError(_first(error)) from None

    def instance(self, given: Any) -> Any:
        """One instance of JSON that is read already. Raises RequestError."""
        try:
            return self._instance.validate_python(given)
        except ValidationError as error:
            raise RequestError(_first(error)) from None

    def arrays(self, instances: list[Any]) -> list[np.ndarray]:
        """Of each sensor (N, …) of its type, as they were sent. Raises RequestError for pictures that are none."""
        rows: list[list[Any]] = [[] for _ in self.sensors]
        for number, instance in enumerate(instances):
            given = [instance] if len(self.sensors) == 1 else list(instance.__dict__.values())
            for row, sensor, observation in zip(rows, self.sensors, given, strict=True):
                try:
                    row.append(observation if isinstance(observation, list) else frames(sensor, observation.image))
                except PictureError as error:
                    raise RequestError(f"instances[{number}]: {error}") from None
        return [np.array(row, sensor.dtype) for row, sensor in zip(rows, self.sensors, strict=True)]


def _observation(sensors: tuple[Sensor, ...]) -> Any:
    if len(sensors) == 1:
        return _sensor(sensors[0])
    # Under names of our own: those of sensors may be any text.
    fields = {f"sensor{number}": (_sensor(s), Field(alias=s.name)) for number, s in enumerate(sensors)}
    return _closed("Observation", **fields)


def _sensor(sensor: Sensor) -> Any:
    if sensor.dtype == "uint8":
        found: Any = Annotated[int, Strict(), Field(ge=0, le=255)]
    else:
        bounds = [
            bound for side in (sensor.low, sensor.high) for bound in (side if isinstance(side, tuple) else (side,))
        ]
        most = max([FARTHEST, *(abs(bound) for bound in bounds if bound is not None)])
        found = Annotated[float, Strict(), Field(ge=-most, le=most, allow_inf_nan=False)]
    for size in reversed(sensor.shape):
        found = Annotated[list[found], Field(min_length=size, max_length=size)]
    if not sensor.pictures:
        return found
    return Annotated[_picture(sensor.pictures) | found, Field(union_mode="left_to_right")]


def _picture(count: int) -> type[BaseModel]:
    text = Annotated[
        str, Strict(), Field(max_length=MOST_BODY, json_schema_extra={"contentEncoding": "base64"}, min_length=1)
    ]
    several: Any = Annotated[list[text], Field(min_length=count, max_length=count)]
    return _closed("Image", image=(text | several if count == 1 else several, ...))


def _closed(name: str, **fields: Any) -> type[BaseModel]:
    """A model that takes these keys only."""
    return create_model(name, __config__=ConfigDict(extra="forbid"), **fields)


def _first(error: ValidationError) -> str:
    """Where a body is wrong first, and how."""
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    # An observation that is a list was not meant as a picture, whose fault comes first.
    fault = next((each for each in faults if each["type"] not in ("model_type", "model_attributes_type")), faults[0])
    where = ""
    for part in fault["loc"]:
        if isinstance(part, int):
            where += f"[{part}]"
        elif not part.startswith(("constrained-", "Image", "list[")):
            where += f".{part}" if where else part
    return f"{where}: {fault['msg']}" if where else fault["msg"]
