"""The object store of a local run: one of its own that starts and ends with it, or the one that the settings name."""

import contextlib
import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kuberacer.errors import UserError
from kuberacer.run.files import must_exist
from kuberacer.run.models import put_pretrained
from kuberacer.run.players import put_player
from kuberacer.run.rivals import put_model, with_addresses
from kuberacer.settings import StoreSettings
from kuberacer.store.client import ObjectStore
from kuberacer.store.server import SeaweedServer


@dataclass(frozen=True)
class Store:
    """environment: for the stages. identity: what outputs that went into this store depend on."""

    objects: ObjectStore
    environment: Mapping[str, str]
    identity: str

    def address_of_track(self, track: str) -> str:
        """A track file of this machine goes into the store, by its content; names and addresses stay as they are."""
        path = Path(track)
        if not (path.suffix == ".npy" or path.exists()):
            return track
        file = _route_file(path)
        key = f"inputs/{hashlib.sha256(file.read_bytes()).hexdigest()[:16]}/{file.name}"
        self.objects.put_file(key, file)
        return self.objects.address(key)

    def pretrained(self, arguments: dict[str, Any]) -> None:
        """A model of this machine that the run begins with goes into the store, too."""
        if arguments.get("pretrained"):
            which = arguments.get("pretrained_checkpoint") or "best"
            arguments["pretrained"] = put_pretrained(self.objects, arguments["pretrained"], which)

    def player(self, arguments: dict[str, Any]) -> None:
        """A Unity player of this machine goes into the store, too."""
        if arguments.get("player"):
            arguments["player"] = put_player(self.objects, arguments["player"])

    def race(self, arguments: dict[str, Any]) -> None:
        """Rivals of `race` and `evaluation` that are folders of this machine go into the store, too."""
        for name in ("race", "evaluation"):
            if arguments.get(name):
                arguments[name] = with_addresses(arguments[name], name, lambda folder: put_model(self.objects, folder))


@contextlib.contextmanager
def object_store(folder: Path) -> Iterator[Store]:
    """folder: the data of the run's own store. Raises UserError when the store cannot be reached or started."""
    store, identity = external_store()
    if store is not None:
        store.exists("reachable")  # whatever the answer is
        yield Store(store, {}, identity)
        return
    with SeaweedServer(folder) as server:
        assert server.settings is not None
        yield Store(ObjectStore(server.settings), server.environment(), "own")


def external_store() -> tuple[ObjectStore | None, str]:
    """The store that the settings name, and its identity; (None, "") where they name none."""
    if not (os.environ.get("KUBERACER_S3_BUCKET") or os.environ.get("KUBERACER_S3_ENDPOINT")):
        return None, ""
    settings = StoreSettings.from_environment()
    return ObjectStore(settings), f"{settings.kuberacer_s3_endpoint}/{settings.kuberacer_s3_bucket}"


def _route_file(path: Path) -> Path:
    """The one .npy file that a path names, itself or by its folder (as kuberacer.sim.track reads folders)."""
    if not path.is_dir():
        must_exist(path, "track")
        return path
    named = path / f"{path.name}.npy"
    files = [named] if named.exists() else sorted(path.glob("*.npy"))
    if len(files) != 1:
        raise UserError(f"the folder {path} holds {len(files)} .npy files", "name the route file itself")
    return files[0]
