"""Archives from a store: what they hold arrives, what is no such archive leaves nothing."""

import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuberacer.errors import UserError
from kuberacer.run.remote.unpack import unpack

NAME = st.text(st.characters(categories=["L", "N"], include_characters="-_ ."), min_size=1, max_size=12).filter(
    lambda name: name.strip(". ") == name
)


def packed(place: Path, members: dict[str, bytes | tarfile.TarInfo], mode: str = "w:gz") -> Path:
    with tarfile.open(place, mode) as tar:  # type: ignore[call-overload]
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
                continue
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return place


@given(st.dictionaries(NAME, st.binary(max_size=200), min_size=1, max_size=5), st.sampled_from(["w:gz", "w"]))
def test_a_folder_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], mode: str
) -> None:
    folder = tmp_path_factory.mktemp("unpack")
    members: dict[str, bytes | tarfile.TarInfo] = {f"output/deep/{name}": data for name, data in files.items()}
    unpack(packed(folder / "a", members, mode), folder / "place")
    found = {path.name: path.read_bytes() for path in (folder / "place" / "deep").iterdir()}
    assert found == files
    assert sorted(path.name for path in folder.iterdir()) == ["a", "place"]


def test_a_file_comes_back_as_it_was(tmp_path: Path) -> None:
    unpack(packed(tmp_path / "a", {"report": b"page"}), tmp_path / "report.html")
    assert (tmp_path / "report.html").read_bytes() == b"page"


def _link(name: str, target: str, kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    "members",
    [
        {"../out": b"x"},
        {"/etc/out": b"x", "second": b"y"},
        {"a": b"x", "b": b"y"},
        {"link": _link("link", "/etc/passwd", tarfile.SYMTYPE)},
        {"o": _link("output/link", "../../../etc/passwd", tarfile.SYMTYPE)},
        {"o": _link("output/link", "/etc/passwd", tarfile.LNKTYPE)},
        {"o": _link("output", "output", tarfile.SYMTYPE)},
        {"o": _link("output/device", "", tarfile.CHRTYPE)},
        {},
    ],
)
def test_what_leads_out_or_is_no_single_thing_is_refused(
    tmp_path: Path, members: dict[str, bytes | tarfile.TarInfo]
) -> None:
    (tmp_path / "inside").mkdir()
    with pytest.raises(UserError):
        unpack(packed(tmp_path / "a", members), tmp_path / "inside" / "place")
    assert not list((tmp_path / "inside").iterdir())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "inside"]


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    bomb = packed(tmp_path / "a", {"output/zeros": bytes(1 << 20)})
    assert bomb.stat().st_size < 1 << 14
    with pytest.raises(UserError, match="more than"):
        unpack(bomb, tmp_path / "place", limit_bytes=1 << 19)
    with pytest.raises(UserError, match="more than"):
        unpack(packed(tmp_path / "b", {f"o/{n}": b"" for n in range(9)}), tmp_path / "place", limit_members=8)
    assert not (tmp_path / "place").exists()


@given(st.integers(0, 10**6), st.integers(1, 255), st.booleans())
def test_a_damaged_archive_is_an_error_that_a_person_can_read(
    tmp_path_factory: pytest.TempPathFactory, at: int, change: int, cut: bool
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    data = bytearray(packed(folder / "a", {"output/a": bytes(range(256)) * 40, "output/b": b"b"}).read_bytes())
    at %= len(data)
    data[at] ^= change
    (folder / "a").write_bytes(bytes(data[:at] if cut else data))
    try:
        unpack(folder / "a", folder / "place")
    except UserError:
        assert not (folder / "place").exists()
