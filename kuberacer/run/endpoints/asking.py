"""Asking an endpoint in KServe's V1 protocol. By http.client: no proxy lies before one's own machine."""

import base64
import contextlib
import http.client
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kuberacer.errors import UserError
from kuberacer.run.files import must_exist

TIMEOUT_S = 30.0
LOOK = "see whether it is still there (make endpoints), and its log"
MOST_PICTURE = 3 << 20  # bytes of a file


@dataclass(frozen=True)
class Address:
    """Where a model answers."""

    name: str
    host: str
    port: int
    token: str = ""

    @property
    def model(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/v1/models/{self.name}"


def predict(address: Address, observation: str, images: list[Path]) -> dict[str, Any]:
    """What the policy does. observation: JSON; images: files, of a camera. Raises UserError."""
    instance = _instance(address, observation, images)
    status, found = _ask(address, "POST", f"/v1/models/{address.name}:predict", {"instances": [instance]})
    if status == 200:
        return dict(found["predictions"][0])
    error = str(found.get("error", f"status {status}")).replace("instances[0]", "the observation")
    if status == 422:
        raise UserError(error, f"give {_told(found.get('expected', {}))}")
    raise UserError(
        f"{address.model}: {error}", "see the endpoint's log, and whether it is still there: kuberacer endpoints"
    )


def described(address: Address) -> dict[str, Any]:
    """What the endpoint says of its model. Raises UserError."""
    status, found = _ask(address, "GET", f"/v1/models/{address.name}")
    if status != 200:
        raise UserError(f"{address.model}: {found.get('error', f'status {status}')}", LOOK)
    return found


def is_ready(address: Address) -> bool:
    with contextlib.suppress(UserError):
        return _ask(address, "GET", "/readyz")[0] == 200
    return False


def _instance(address: Address, observation: str, images: list[Path]) -> Any:
    if not observation and not images:
        raise UserError("nothing was observed", "give OBSERVATION='[…]' (JSON), or IMAGE=file of a camera")
    try:
        found = json.loads(observation) if observation else None
    except ValueError as error:
        raise UserError(f"the observation is no JSON: {error}", "write it as '[0.5, -0.5]'") from None
    if not images:
        return found
    pictures = [_picture(path) for path in images]
    image = {"image": pictures[0] if len(pictures) == 1 else pictures}
    if found is None:
        return image
    sensors = described(address)["observation"]
    cameras = [name for name, sensor in sensors.items() if isinstance(sensor, dict) and sensor.get("dtype") == "uint8"]
    if not isinstance(found, dict) or len(cameras) != 1:
        raise UserError(f"the model takes {_told(sensors)}", "give OBSERVATION or IMAGE, not both")
    return {cameras[0]: image, **found}


def _picture(path: Path) -> str:
    must_exist(path, "picture")
    if path.stat().st_size > MOST_PICTURE:
        raise UserError(f"{path} has {path.stat().st_size:,} bytes", f"give a picture of at most {MOST_PICTURE:,}")
    return base64.b64encode(path.read_bytes()).decode("ascii")


def _told(expected: dict[str, Any]) -> str:
    """An observation's shape and type in words."""
    if "shape" not in expected:
        return "an object of " + ", ".join(f"{name}: {_told(sensor)}" for name, sensor in expected.items())
    shape = "×".join(str(size) for size in expected["shape"])
    if expected["dtype"] == "uint8":
        return f"{shape} whole numbers from 0 to 255, or IMAGE=file"
    meaning = f" ({', '.join(expected['meaning'])})" if expected.get("meaning") else ""
    return f"{shape} finite numbers{meaning}"


def _ask(address: Address, method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
    """Status and JSON of an answer. Raises UserError when there is none."""
    headers = {"Content-Type": "application/json"} if body is not None else {}
    headers |= {"Authorization": f"Bearer {address.token}"} if address.token else {}
    connection = http.client.HTTPConnection(address.host, address.port, timeout=TIMEOUT_S)
    try:
        with contextlib.closing(connection):
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            found = json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise UserError(
            f"{address.model} does not answer: {error or type(error).__name__}",
            "see what there is: kuberacer endpoints",
        ) from None
    return answer.status, found if isinstance(found, dict) else {}
