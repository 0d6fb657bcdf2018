"""Where a player comes from, and what is refused as one."""

import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from kuberacer.errors import UserError
from kuberacer.rllib.player_files import bring_player
from kuberacer.store.client import ObjectStore
from tests.seaweed import seaweed
from tests.unit.rllib.players import write_player


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory):
    with seaweed(tmp_path_factory.mktemp("store")) as settings, pytest.MonkeyPatch.context() as patched:
        for name, value in settings.environment().items():
            patched.setenv(name, value)
        yield ObjectStore(settings)


def build(folder: Path) -> Path:
    """A folder as Unity's build leaves it."""
    write_player(folder / "Basic.x86_64").chmod(0o644)
    (folder / "Basic_Data").mkdir()
    (folder / "Basic_Data" / "level0").write_bytes(b"scene")
    (folder / "UnityPlayer.so").write_bytes(b"\x7fELF" + bytes(14) + b"\x3e\x00")
    return folder


def zipped(folder: Path, place: Path) -> Path:
    with zipfile.ZipFile(place, "w") as archive:
        for path in folder.rglob("*"):
            archive.write(path, Path("build") / path.relative_to(folder))
    return place


def tarred(folder: Path, place: Path) -> Path:
    with tarfile.open(place, "w:gz") as archive:
        archive.add(folder, "build")
    return place


def refusal(source: object, folder: Path, executable: str = "") -> str:
    with pytest.raises(UserError) as told:
        bring_player(str(source), executable, folder)
    return str(told.value)


def test_an_executable_an_archive_and_a_folder_are_players(tmp_path):
    folder = build(tmp_path / "build")
    for source in (
        folder / "Basic.x86_64", folder, zipped(folder, tmp_path / "a.zip"), tarred(folder, tmp_path / "a.tar.gz")
    ):  # fmt: skip
        found = bring_player(str(source), "", tmp_path / "kept")
        assert found.name == "Basic.x86_64"
        assert os.access(found, os.X_OK)
        assert (found.parent / "Basic_Data" / "level0").read_bytes() == b"scene"


def test_players_come_from_the_object_store(tmp_path, store):
    folder = build(tmp_path / "build")
    for path in folder.rglob("*"):
        if path.is_file():
            store.put_file(f"unity-data/{path.relative_to(folder)}", path)
    store.put_file("one/Basic.x86_64", folder / "Basic.x86_64")
    store.put_file("packed/build.zip", zipped(folder, tmp_path / "a.zip"))
    for key in ("unity-data", "unity-data/", "one/Basic.x86_64", "packed/build.zip", "packed"):
        found = bring_player(store.address(key), "", tmp_path / "kept")
        assert found.name == "Basic.x86_64"
        assert os.access(found, os.X_OK)
        assert bring_player(store.address(key), "", tmp_path / "kept") == found
    assert "there is no player s3://" in refusal(store.address("nothing/here"), tmp_path / "kept")


def test_which_file_is_the_executable(tmp_path):
    folder = tmp_path / "build"
    write_player(folder / "Basic")
    write_player(folder / "crash_handler")
    assert "holds 2 programs" in refusal(folder, tmp_path)
    assert bring_player(str(folder), "crash_handler", tmp_path).name == "crash_handler"
    (folder / "Basic_Data").mkdir()
    assert bring_player(str(folder), "", tmp_path).name == "Basic"
    assert "has no file Nothing" in refusal(folder, tmp_path, "Nothing")


def test_what_is_no_player_is_refused(tmp_path):
    assert "no player is given" in refusal("", tmp_path)
    assert "there is no player" in refusal(tmp_path / "missing", tmp_path)
    assert "there is no player" in refusal(tmp_path / "missing.zip", tmp_path)
    (tmp_path / "notes").write_text("not a program")
    assert "is no program for Linux" in refusal(tmp_path / "notes", tmp_path)
    (tmp_path / "Basic.exe").write_bytes(b"MZ" + bytes(50))
    assert "one for Windows" in refusal(tmp_path / "Basic.exe", tmp_path)
    (tmp_path / "arm").write_bytes(b"\x7fELF" + bytes(14) + b"\x28\x00")
    assert "another processor" in refusal(tmp_path / "arm", tmp_path)
    (tmp_path / "empty").mkdir()
    assert "holds no program" in refusal(tmp_path / "empty", tmp_path)


def test_an_archive_cannot_write_elsewhere(tmp_path):
    with tarfile.open(tmp_path / "evil.tar", "w") as archive:
        member = tarfile.TarInfo("../../escaped")
        member.size = 2
        archive.addfile(member, io.BytesIO(b"#!"))
    assert "not an archive to be trusted" in refusal(tmp_path / "evil.tar", tmp_path / "deep" / "kept")
    assert not (tmp_path / "escaped").exists()
