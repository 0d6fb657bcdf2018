"""How a Unity player of this machine gets into the store."""

import io
import tarfile
from pathlib import Path

import pytest

from kuberacer.errors import UserError
from kuberacer.run.players import put_player
from kuberacer.store.client import ObjectStore, split_address


def build(folder: Path) -> Path:
    """As Unity leaves it, among other things."""
    (folder / "Basic_Data").mkdir(parents=True)
    for name in ("Basic.x86_64", "Basic_Data/level0", "UnityPlayer.so", "notes.txt"):
        (folder / name).write_bytes(name.encode())
    return folder / "Basic.x86_64"


def packed(store: ObjectStore, address: str) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(store.get_bytes(split_address(address)[1]))) as archive:
        return sorted(archive.getnames())


def test_an_executable_takes_what_belongs_to_it_along(tmp_path, store):
    executable = build(tmp_path / "a")
    address = put_player(store, str(executable))
    assert packed(store, address) == ["Basic.x86_64", "Basic_Data/level0", "UnityPlayer.so"]
    assert put_player(store, str(build(tmp_path / "b"))) == address  # by its content
    assert put_player(store, address) == address


def test_a_folder_goes_as_a_whole_and_single_files_as_they_are(tmp_path, store):
    executable = build(tmp_path / "a")
    address = put_player(store, str(executable.parent))
    assert packed(store, address) == ["Basic.x86_64", "Basic_Data/level0", "UnityPlayer.so", "notes.txt"]
    for name in ("player", "player.zip"):
        (tmp_path / name).write_bytes(b"#!/bin/sh\n")
        address = put_player(store, str(tmp_path / name))
        assert address.endswith(f"/{name}")
        assert store.get_bytes(split_address(address)[1]) == b"#!/bin/sh\n"


def test_what_is_not_there_is_told(store):
    with pytest.raises(UserError, match="there is no player"):
        put_player(store, "/nowhere/Basic")
