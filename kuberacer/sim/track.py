"""Tracks: our own, drawn in code, and DeepRacer's route files.

A route is an array (N, 6) float64: centre x, y, inner border x, y, outer border x, y, in metres. On a loop the last row
repeats the first one.
"""

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from kuberacer.errors import UserError
from kuberacer.sim.route_checks import CLOSED_WITHIN, MAX_FILE_BYTES, validate_route


@dataclass(frozen=True, eq=False)
class Track:
    """A road. center, inner, outer: (P, 2) metres, row by row across the road; a loop's first row is not repeated."""

    name: str
    center: np.ndarray
    inner: np.ndarray
    outer: np.ndarray
    closed: bool

    @cached_property
    def length(self) -> float:
        """Metres along the centre line, on a loop back to its first point."""
        return float(np.hypot(*np.diff(self.route()[:, :2], axis=0).T).sum())

    @cached_property
    def width(self) -> float:
        """Metres between the borders, mean over the rows."""
        return float(np.hypot(*(self.outer - self.inner).T).mean())

    @cached_property
    def waypoints(self) -> tuple[tuple[float, float], ...]:
        """The centre line as reward functions see it: on a loop the first waypoint comes again at the end."""
        return tuple((float(x), float(y)) for x, y in self.route()[:, :2])

    def route(self) -> np.ndarray:
        """The rows (N, 6) as a route file holds them."""
        rows = np.hstack([self.center, self.inner, self.outer])
        return np.vstack([rows, rows[:1]]) if self.closed else rows

    def digest(self) -> str:
        """sha256 over the route: equal roads have equal digests, whatever their names."""
        return hashlib.sha256(np.ascontiguousarray(self.route(), dtype="<f8").tobytes()).hexdigest()

    @classmethod
    def from_route(cls, array: np.ndarray, name: str) -> "Track":
        """The track of a route; raises UserError where validate_route finds a fault."""
        route = validate_route(array, name)
        closed = bool(np.hypot(*(route[0, :2] - route[-1, :2])) < CLOSED_WITHIN)
        rows = route[:-1] if closed else route
        center, inner, outer = (np.ascontiguousarray(rows[:, i : i + 2]) for i in (0, 2, 4))
        return cls(name, center, inner, outer, closed)


def own_tracks() -> list[str]:
    """Names of the tracks that come with KubeRacer."""
    return list(_drawn())


def load_track(source: str, s3: Any = None) -> Track:
    """A track by the name of one of ours, the path of a .npy file or of its folder, or its s3:// address.

    s3: boto3 client, for addresses. Raises UserError when it is not found or broken.
    """
    if source.startswith("s3://"):
        return _from_s3(source, s3)
    path = Path(source)
    if path.is_dir():
        path = _only_route(path)
    if path.is_file():
        return _read(path.read_bytes(), path.stem, str(path))
    drawn = _drawn()
    if source in drawn:
        return Track.from_route(drawn[source](), source)
    raise UserError(
        f"track {source!r} is neither one of ours nor a file",
        f"name one of {', '.join(drawn)}, or the path or s3:// address of a route file (.npy)",
    )


def _drawn() -> dict[str, Callable[[], np.ndarray]]:
    # Not at the top: drawing the tracks uses this module.
    from kuberacer.sim.tracks_drawn import TRACKS

    return TRACKS


def _only_route(folder: Path) -> Path:
    named = folder / f"{folder.resolve().name}.npy"
    if named.is_file():
        return named
    files = sorted(folder.glob("*.npy"))
    if len(files) == 1:
        return files[0]
    names = ", ".join(file.name for file in files[:8])
    raise UserError(
        f"folder {folder} holds {len(files)} route files" + (f": {names}" if names else " (.npy)"),
        "give the path of one .npy file",
    )


def _from_s3(address: str, s3: Any) -> Track:
    if s3 is None:
        raise ValueError("an s3:// address needs a boto3 client")
    bucket, _, key = address.removeprefix("s3://").partition("/")
    if not bucket or not key:
        raise UserError(f"{address!r} is not an address of an object", "write it as s3://bucket/path/to/track.npy")
    try:
        answer = s3.get_object(Bucket=bucket, Key=key)
        data = answer["Body"].read(MAX_FILE_BYTES + 1)
    except Exception as error:  # botocore makes its error classes at run time
        reason = str(error).splitlines()[0]
        raise UserError(
            f"track {address} cannot be read: {reason}", "check the address and the access to it"
        ) from error
    return _read(data, Path(key).stem, address)


def _read(data: bytes, name: str, origin: str) -> Track:
    remedy = "save the route with numpy.save as an array (N, 6) of float64"
    if len(data) > MAX_FILE_BYTES:
        raise UserError(f"route {origin} is larger than {MAX_FILE_BYTES >> 20} MiB", remedy)
    try:
        array = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError, MemoryError) as error:
        raise UserError(f"route {origin} is not a readable .npy file: {str(error).splitlines()[0]}", remedy) from error
    if not isinstance(array, np.ndarray):
        raise UserError(f"route {origin} is an archive of arrays, not a .npy file", remedy)
    return Track.from_route(array, name)
