"""What the commands do."""

import json
import time
from pathlib import Path
from typing import Any

from kuberacer.endpoint import expiry
from kuberacer.errors import UserError
from kuberacer.run.endpoints import local
from kuberacer.run.endpoints.asking import Address, described


def deploy(out: Path, run: str, name: str, port: int | None, expires: str, host: str, workers: int) -> list[str]:
    """The lines that say where it is and what to do with it. Raises UserError."""
    began = time.monotonic()
    expires_at = expiry(expires)
    found = local.deploy(out, run, name, port, host, expires_at, workers)
    took = f"ready after {time.monotonic() - began:.1f} s, {_until(expires_at)}"
    return [f"endpoint {found.name}: {took}", *how_to(found.address, described(found.address))]


def how_to(address: Address, model: dict[str, Any]) -> list[str]:
    """How to ask and delete."""
    header = ' -H "Authorization: Bearer $TOKEN"' if address.token else ""
    seen = model["observation"]
    if seen.get("dtype") == "uint8":
        asked, body = "IMAGE=picture.png", '{"instances": [{"image": "<base64 of a PNG or JPEG>"}]}'
    else:
        example = json.dumps(_example(seen))
        asked, body = f"OBSERVATION='{example}'", f'{{"instances": [{example}]}}'
    return [
        f"address: {address.model}",
        f"predict: make predict NAME={address.name} {asked}",
        f"         curl{header} -H 'Content-Type: application/json' -d '{body}' {address.model}:predict",
        f"delete:  make delete-endpoint NAME={address.name}",
    ]


def _example(seen: dict[str, Any]) -> Any:
    """An observation of zeros; of several sensors one for each."""
    if "shape" not in seen:
        return {name: "…" if each["dtype"] == "uint8" else _example(each) for name, each in seen.items()}
    found: Any = 0.0
    for size in reversed(seen["shape"]):
        found = [found] * size
    return found


def delete(out: Path, run: str, name: str) -> list[str]:
    endpoint = chosen(out, run, name, ended=True)
    local.delete(endpoint)
    return [f"deleted: endpoint {endpoint.name} of {endpoint.run}"]


def chosen(out: Path, run: str, name: str, ended: bool = False) -> local.LocalEndpoint:
    """The endpoint of that name, else the only one of that run. Raises UserError."""
    if not run and not name:
        raise UserError("no endpoint is named", "give NAME=…, or RUN=… of its run")
    endpoints = [each for each in local.all_of(out) if ended or each.pid is not None]
    found = [each for each in endpoints if (each.name == name if name else each.run == run)]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(each.name for each in found)
        raise UserError(f"the run {run} has {len(found)} endpoints", f"give NAME, one of: {names}")
    there = ", ".join(each.name for each in endpoints)
    make = f"make deploy-endpoint RUN={run or '…'}"
    raise UserError(
        f"there is no endpoint {name}" if name else f"the run {run} has no endpoint",
        f"deploy it: {make}" + (f"; there are: {there}" if there else ""),
    )


def listed(out: Path) -> list[str]:
    lines = []
    for each in local.all_of(out):
        state = _until(each.expires_at) if each.pid is not None else "has ended (make delete-endpoint removes it)"
        lines.append(f"{each.name}  {each.address.model}  of {each.run}, {state}")
    return lines or ["there is no endpoint on this machine"]


def _until(expires_at: float | None) -> str:
    if expires_at is None:
        return "never expires"
    left = max(0, round((expires_at - time.time()) / 60))
    hours, minutes = divmod(left, 60)
    return f"expires in {f'{hours} h ' if hours else ''}{minutes} min"
