"""An image's kernels: the right set for the processor, found where nothing can be written, compiled anew otherwise."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuberacer.sim import kernel_target
from kuberacer.sim.kernel_target import LEVELS, choose, levels

KERNEL = (
    "from numba import float64\nfrom helping_kernels import factor\nfrom kuberacer.sim.kernel_cache import kernel\n"
    "@kernel(float64(float64))\ndef twice(x):\n    return factor() * x\n"
)
HELPING = "from numba import njit\n@njit\ndef factor():\n    return 2\n"
# As on a read-only file system, for root too: nothing may be made below the folder named last.
SAY = (
    "import os, sys, tempfile; sys.path.insert(0, sys.argv[1]); fixed = sys.argv[2]\n"
    "def guard(call):\n"
    "    def guarded(*given, **named):\n"
    "        place = str(named.get('dir') or (given or [''])[0])\n"
    "        if fixed and place.startswith(fixed) and not (call is os.makedirs and os.path.isdir(place)):\n"
    "            raise OSError(30, 'Read-only file system')\n"
    "        return call(*given, **named)\n"
    "    return guarded\n"
    "tempfile.TemporaryFile, os.makedirs = guard(tempfile.TemporaryFile), guard(os.makedirs)\n"
    "import twice_kernels\n"
    "stats = twice_kernels.twice.stats\n"
    "print(twice_kernels.twice(1.0), sum(stats.cache_hits.values()), stats.cache_path)"
)


def cpuinfo(folder: Path, flags: str) -> Path:
    path = folder / "cpuinfo"
    path.write_text(f"processor\t: 0\nflags\t\t: {flags}\nbugs\t\t: \n")
    return path


@pytest.fixture
def x86(monkeypatch):
    monkeypatch.setattr(kernel_target.platform, "machine", lambda: "x86_64")


def test_level_needs_all_of_its_features_and_those_below(x86, tmp_path):
    every = " ".join(LEVELS.values())
    assert levels(cpuinfo(tmp_path, every)) == ["x86-64-v4", "x86-64-v3", "x86-64-v2"]
    assert levels(cpuinfo(tmp_path, every.replace("avx512vl", ""))) == ["x86-64-v3", "x86-64-v2"]
    assert levels(cpuinfo(tmp_path, every.replace("sse4_2", ""))) == []
    assert levels(tmp_path / "none") == []


@given(flags=st.sets(st.sampled_from(sorted(" ".join(LEVELS.values()).split()))))
def test_no_level_is_claimed_without_its_features(tmp_path_factory, flags):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel_target.platform, "machine", lambda: "x86_64")
        claimed = levels(cpuinfo(tmp_path_factory.mktemp("cpu"), " ".join(flags)))
    names = list(LEVELS)
    assert claimed == names[len(names) - len(claimed) :]  # none is skipped
    assert all(set(LEVELS[level].split()) <= flags for level in claimed)


def test_best_level_of_the_image_is_chosen(x86, tmp_path, monkeypatch):
    monkeypatch.setenv("KUBERACER_KERNELS", str(tmp_path))
    monkeypatch.setattr(os, "environ", dict(os.environ))
    os.environ.pop("NUMBA_CPU_NAME", None)
    (tmp_path / "x86-64-v2").mkdir()
    (tmp_path / "x86-64-v3").mkdir()
    choose(cpuinfo(tmp_path, " ".join(LEVELS.values())))
    assert (os.environ["NUMBA_CPU_NAME"], os.environ["NUMBA_CPU_FEATURES"]) == ("x86-64-v3", "")


def test_user_s_own_choice_stands(tmp_path, monkeypatch):
    (tmp_path / "generic").mkdir()
    monkeypatch.setenv("KUBERACER_KERNELS", str(tmp_path))
    monkeypatch.setenv("NUMBA_CPU_NAME", "znver4")
    choose()
    assert os.environ["NUMBA_CPU_NAME"] == "znver4"


def test_without_kernels_numba_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "environ", {**os.environ, "KUBERACER_KERNELS": str(tmp_path / "none")})
    os.environ.pop("NUMBA_CPU_NAME", None)
    choose()
    assert "NUMBA_CPU_NAME" not in os.environ


def test_kernels_are_found_by_content_where_nothing_can_be_written(tmp_path):
    source, kernels, home = tmp_path / "source", tmp_path / "kernels", tmp_path / "home"
    source.mkdir()
    home.mkdir()
    (source / "twice_kernels.py").write_text(KERNEL)
    (source / "helping_kernels.py").write_text(HELPING)

    def load(folder: Path, fixed: str = "", wanted: float = 2.0) -> tuple[int, str]:
        environment = {
            **os.environ,
            "KUBERACER_KERNELS": str(kernels),
            "NUMBA_CPU_NAME": "generic",
            "NUMBA_CPU_FEATURES": "",
            "NUMBA_CACHE_DIR": str(home),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        command = [sys.executable, "-c", SAY, str(folder), fixed]
        ended = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
        result, hits, place = ended.stdout.split()
        assert float(result) == wanted
        return int(hits), place

    hits, place = load(source)  # while the image is built
    assert (hits, Path(place).parent) == (0, kernels / "generic")
    moved = tmp_path / "elsewhere"
    shutil.copytree(source, moved)
    before = sorted((path, path.stat().st_mtime_ns) for path in kernels.rglob("*"))
    assert load(moved, str(kernels)) == (1, place)
    assert sorted((path, path.stat().st_mtime_ns) for path in kernels.rglob("*")) == before

    # A change in a file that the entry point's only imports.
    (moved / "helping_kernels.py").write_text(HELPING.replace("2", "3"))
    hits, elsewhere = load(moved, str(kernels), wanted=3.0)
    assert hits == 0
    assert Path(elsewhere).is_relative_to(home)  # compiled anew, and kept
    assert load(moved, str(kernels), wanted=3.0) == (1, elsewhere)


def test_kernels_depend_on_nothing_of_ours_but_kernels():
    """What else they imported, the cache would not notice a change in."""
    folder = Path(kernel_target.__file__).parent
    for path in folder.glob("*_kernels.py"):
        if path.name == "compile_kernels.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("kuberacer"):
                assert node.module.endswith(("_kernels", ".kernel_cache")), (path.name, node.module)
