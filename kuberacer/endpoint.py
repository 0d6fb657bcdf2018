"""What everybody knows of an endpoint, a model that is served: its name, how long it lasts, where it is kept."""

import re
import time
from dataclasses import dataclass

from kuberacer.errors import UserError

PORT = 8090
EXPIRES = "8h"
TOKEN = "KUBERACER_SERVE_TOKEN"
# In the folder of an endpoint of this machine: the model's files, what is known of it, what it says; the lock of the
# process that serves it, with its number.
MODEL, RECORD, LOG, LOCK = "model", "endpoint.json", "server.log", ".lock"
NOT_SERVED = 3  # exit status of a server whose model is no good, at this start and at every other
LONGEST_S = 366 * 86400.0
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,48}[a-z0-9])?")  # a label of DNS, with room for more behind it
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Endpoint:
    """What is served. name: of the model in addresses. digest: of its files. expires_at: seconds since the epoch.
    patience_s: after which a request gets no answer."""

    name: str
    digest: str = ""
    expires_at: float | None = None
    token: str = ""
    patience_s: float = 10.0


def checked_name(name: str) -> str:
    """Raises UserError for what no endpoint may be called."""
    if not _NAME.fullmatch(name):
        raise UserError(
            f"{name!r} is no name for an endpoint", "give NAME of a-z, 0-9 and - with at most 50 characters"
        )
    return name


def name_of_run(run: str) -> str:
    """What the endpoint of a run is called when nobody says it."""
    return re.sub(r"[^a-z0-9]+", "-", run.lower()).strip("-")[:50].strip("-") or "model"


def expiry(text: str, now: float | None = None) -> float | None:
    """Seconds since the epoch when what is deployed now for `text` (90s, 30m, 8h, 2d) has expired; None for `never`."""
    if text == "never":
        return None
    match = re.fullmatch(r"(\d{1,9})([smhd])", text.strip())
    lasts = int(match[1]) * _UNITS[match[2]] if match else 0.0
    if not 0 < lasts <= LONGEST_S:
        raise UserError(f"EXPIRES is {text!r}", "give a time as 90s, 30m, 8h or 2d, at most 366d, or never")
    return (time.time() if now is None else now) + lasts
