"""What the commands do, on this machine or on a cluster."""

import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from kuberacer.endpoint import RECORD, checked_name, expiry, name_of_run
from kuberacer.errors import UserError
from kuberacer.run.endpoints import local
from kuberacer.run.endpoints.asking import Address, described

if TYPE_CHECKING:  # the cluster's client is slow to import
    from kuberacer.run.endpoints.cluster import RemoteEndpoint

T = TypeVar("T", "local.LocalEndpoint", "RemoteEndpoint")


def deploy_here(out: Path, run: str, name: str, port: int | None, expires: str, host: str, workers: int) -> list[str]:
    """The lines that say where it is and what to do with it. Raises UserError."""
    began, expires_at = time.monotonic(), expiry(expires)
    found = local.deploy(out, run, name, port, host, expires_at, workers)
    took = f"ready after {time.monotonic() - began:.1f} s, {_until(expires_at)}"
    lines = [f"endpoint {found.name}: {took}", *how_to(found.address, found.place, described(found.address))]
    return [*lines, f"token:   in {found.folder / RECORD}"] if found.address.token else lines


def deploy_there(out: Path, run: str, name: str, expires: str, replicas: int, kserve: bool) -> list[str]:
    from kuberacer.run.endpoints.cluster import TOKEN_SECRET, Endpoints

    began, name = time.monotonic(), checked_name(name or name_of_run(run))
    expiry(expires)
    endpoints = Endpoints()
    endpoints.deploy(out, run, name, expires, replicas, kserve)
    found = chosen(endpoints.all(), "", name)
    with endpoints.reached(found) as address:
        lines = how_to(address, found.model, described(address), " BACKEND=kubernetes")
    took = f"ready after {time.monotonic() - began:.1f} s, {_until(found.expires_at)}"
    token = f"kubectl -n {endpoints.namespace} get secret {TOKEN_SECRET} -o jsonpath='{{.data.*}}' | base64 -d"
    return [f"endpoint {name}: {took}", *lines, f"token:   {token}"]


def how_to(address: Address, place: str, model: dict[str, Any], more: str = "") -> list[str]:
    """How to ask and delete. place: of the model; more: of make's variables."""
    header = ' -H "Authorization: Bearer $TOKEN"' if address.token else ""
    seen = model["observation"]
    sensors = {"": seen} if "shape" in seen else seen
    numbers = {name: _zeros(each["shape"]) for name, each in sensors.items() if each["dtype"] != "uint8"}
    pictures = {name: {"image": "<base64 of a PNG or JPEG>"} for name in sensors if name not in numbers}
    words = [f"OBSERVATION='{json.dumps(numbers.get('', numbers))}'"] if numbers else []
    words += ["IMAGE=picture.png"] if pictures else []
    instance = {**pictures, **numbers}
    body = json.dumps({"instances": [instance.get("", instance)]})
    return [
        f"address: {place}",
        f"predict: make predict NAME={address.name}{more} {' '.join(words)}",
        f"         curl{header} -H 'Content-Type: application/json' -d '{body}' {place}:predict",
        f"delete:  make delete-endpoint NAME={address.name}{more}",
    ]


def _zeros(shape: list[int]) -> Any:
    found: Any = 0.0
    for size in reversed(shape):
        found = [found] * size
    return found


@contextlib.contextmanager
def reached(out: Path, run: str, name: str, cluster: bool) -> Iterator[Address]:
    """The address of an endpoint, by its name or its run's, while the context is open."""
    if not cluster:
        yield chosen(_alive(out), run, name).address
        return
    from kuberacer.run.endpoints.cluster import Endpoints

    endpoints = Endpoints()
    with endpoints.reached(chosen(endpoints.all(), run, name)) as address:
        yield address


def delete(out: Path, run: str, name: str, cluster: bool) -> list[str]:
    if cluster:
        from kuberacer.run.endpoints.cluster import Endpoints

        endpoints = Endpoints()
        remote = chosen(endpoints.all(), run, name)
        endpoints.delete(remote)
        return [f"deleted: endpoint {remote.name} of {remote.run}"]
    endpoint = chosen(local.all_of(out), run, name)
    local.delete(endpoint)
    return [f"deleted: endpoint {endpoint.name} of {endpoint.run}"]


def listed(out: Path, cluster: bool) -> list[str]:
    if cluster:
        from kuberacer.run.endpoints.cluster import Endpoints

        there = Endpoints()
        lines = [f"{e.name}  {e.model}  of {e.run}, {_until(e.expires_at)}" for e in there.all()]
        return lines or [f"there is no endpoint in {there.namespace}"]
    lines = []
    for each in local.all_of(out):
        state = _until(each.expires_at) if each.pid is not None else "has ended (make delete-endpoint removes it)"
        lines.append(f"{each.name}  {each.place}  of {each.run}, {state}")
    return lines or ["there is no endpoint on this machine"]


def chosen(endpoints: Sequence[T], run: str, name: str) -> T:
    """The endpoint of that name, else the only one of that run. Raises UserError."""
    if not run and not name:
        raise UserError("no endpoint is named", "give NAME=…, or RUN=… of its run")
    found = [each for each in endpoints if (each.name == name if name else each.run == run)]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(each.name for each in found)
        raise UserError(f"the run {run} has {len(found)} endpoints", f"give NAME, one of: {names}")
    there = ", ".join(each.name for each in endpoints)
    raise UserError(
        f"there is no endpoint {name}" if name else f"the run {run} has no endpoint",
        f"deploy it: make deploy-endpoint RUN={run or '…'}" + (f"; there are: {there}" if there else ""),
    )


def _alive(out: Path) -> list[local.LocalEndpoint]:
    return [each for each in local.all_of(out) if each.pid is not None]


def _until(expires_at: float | None) -> str:
    if expires_at is None:
        return "never expires"
    hours, minutes = divmod(max(0, round((expires_at - time.time()) / 60)), 60)
    return f"expires in {f'{hours} h ' if hours else ''}{minutes} min"
