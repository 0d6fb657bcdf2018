"""Hostile archives: each is refused with its cause, and leaves nothing behind."""

import gzip
import io
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuberacer.errors import UserError
from kuberacer.formats.unpack import Limits, extract

LIMITS = Limits(total_bytes=1 << 20, members=20, ratio=50, free_bytes=100_000)


def tarred(place: Path, *members: tuple[tarfile.TarInfo, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(place, mode) as tar:  # type: ignore[call-overload]
        for info, data in members:
            info.size = info.size or len(data)
            tar.addfile(info, io.BytesIO(data))
    return place


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zipped(place: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return place


def refused(archive: Path, said: str, limits: Limits = LIMITS) -> None:
    before = sorted(archive.parent.rglob("*"))
    with pytest.raises(UserError, match=said) as caught:
        extract(archive, archive.parent / "place", limits)
    assert caught.value.remedy
    assert sorted(archive.parent.rglob("*")) == before


@pytest.mark.parametrize("name", ["../out", "a/../../out", "/etc/out", "a\\..\\out", "C:out", "\\\\host\\x"])
def test_names_that_lead_out(tmp_path: Path, name: str):
    refused(tarred(tmp_path / "a.tar.gz", (member("good"), b"x"), (member(name), b"x")), "leads out")
    refused(zipped(tmp_path / "a.zip", ("good", b"x"), (name, b"x")), "leads out")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
@pytest.mark.parametrize("target", ["/etc/passwd", "good", "../x"])
def test_links_and_devices(tmp_path: Path, kind: bytes, target: str):
    archive = tarred(tmp_path / "a.tar", (member("good"), b"x"), (member("bad", kind, target), b""), mode="w")
    refused(archive, "'bad' is neither a file nor a folder")


@pytest.mark.parametrize("kind", [0o120000, 0o020000, 0o010000])
def test_links_and_devices_in_a_zip(tmp_path: Path, kind: int):
    info = zipfile.ZipInfo("bad")
    info.external_attr = (kind | 0o777) << 16
    refused(zipped(tmp_path / "a.zip", ("good", b"x"), (info, b"/etc/passwd")), "neither a file nor a folder")


def test_a_bomb_by_its_ratio(tmp_path: Path):
    refused(tarred(tmp_path / "a.tar.gz", (member("zeros"), bytes(900_000))), "unpacks to more than")
    refused(zipped(tmp_path / "a.zip", ("zeros", bytes(900_000))), "unpacks to more than")
    extract(tarred(tmp_path / "b.tar.gz", (member("zeros"), bytes(90_000))), tmp_path / "small", LIMITS)


def test_a_bomb_by_its_size(tmp_path: Path):
    big = Limits(total_bytes=1 << 20, members=20)
    refused(tarred(tmp_path / "a.tar.gz", (member("a"), bytes(700_000)), (member("b"), bytes(700_000))), "1 MiB", big)
    refused(zipped(tmp_path / "a.zip", ("a", bytes(700_000)), ("b", bytes(700_000))), "1 MiB", big)


def test_a_bomb_by_its_count(tmp_path: Path):
    refused(tarred(tmp_path / "a.tar.gz", *((member(f"f{i}"), b"") for i in range(21))), "20 files")
    refused(zipped(tmp_path / "a.zip", *((f"f{i}", b"") for i in range(21))), "20 files")


def test_a_bomb_in_a_header(tmp_path: Path):
    """A long name that says that it has gigabytes, of zeros that pack to nothing."""
    info = member("name", tarfile.GNUTYPE_LONGNAME)
    info.size = 8 << 30
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(8 << 20)))
    refused(tmp_path / "a.tar.gz", "header of more than")


def test_a_size_that_is_a_lie(tmp_path: Path):
    """The file's header says less than its data have; and more."""
    archive = zipped(tmp_path / "a.zip", ("f", bytes(5000)))
    data = archive.read_bytes()
    (tmp_path / "less.zip").write_bytes(data.replace(struct.pack("<I", 5000), struct.pack("<I", 10)))
    refused(tmp_path / "less.zip", "not an archive to be trusted")
    (tmp_path / "more.zip").write_bytes(data.replace(struct.pack("<I", 5000), struct.pack("<I", 90_000)))
    refused(tmp_path / "more.zip", "not an archive to be trusted")


def test_the_same_name_twice(tmp_path: Path):
    refused(tarred(tmp_path / "a.tar.gz", (member("f"), b"1"), (member("f"), b"2")), "not an archive to be trusted")
    refused(tarred(tmp_path / "b.tar.gz", (member("f"), b"1"), (member("f/g"), b"2")), "not an archive to be trusted")


@pytest.mark.parametrize("keep", [0, 1, 60, 150])
def test_what_is_cut_off(tmp_path: Path, keep: int):
    data = tarred(tmp_path / "whole.tar.gz", (member("f"), bytes(range(256)) * 8)).read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(data[:keep])
    refused(tmp_path / "cut.tar.gz", "not an archive to be trusted")
    data = zipped(tmp_path / "whole.zip", ("f", bytes(range(256)) * 8)).read_bytes()
    (tmp_path / "cut.zip").write_bytes(data[:keep])
    refused(tmp_path / "cut.zip", "not an archive to be trusted")


def test_an_encrypted_zip(tmp_path: Path):
    data = bytearray(zipped(tmp_path / "a.zip", ("f", b"x" * 100)).read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1  # general purpose bit flag of the central directory's entry
    data[6] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    refused(tmp_path / "a.zip", "password")


NAMES = st.text(st.sampled_from("ab./\\"), min_size=1, max_size=8)
KINDS = st.sampled_from(
    [tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
)


@given(st.lists(st.tuples(NAMES, KINDS, NAMES, st.binary(max_size=40)), max_size=6), st.booleans())
def test_whatever_the_members_nothing_is_written_outside(
    tmp_path_factory: pytest.TempPathFactory, members: list[tuple[str, bytes, str, bytes]], packed: bool
):
    folder = tmp_path_factory.mktemp("any")
    given_members = [(member(name, kind, target), data if kind == tarfile.REGTYPE else b"")
                     for name, kind, target, data in members]  # fmt: skip
    archive = tarred(folder / "archive", *given_members, mode="w:gz" if packed else "w")
    place = folder / "deep" / "place"
    try:
        extract(archive, place, LIMITS)
    except UserError:
        assert not place.exists()
    else:
        assert not any(path.is_symlink() for path in place.rglob("*"))
        assert all(kind in (tarfile.REGTYPE, tarfile.DIRTYPE) for _, kind, _, _ in members)
    assert {path.name for path in folder.iterdir()} <= {"archive", "deep"}
    assert [path.name for path in (folder / "deep").iterdir()] in ([], ["place"])
