"""One content, one digest, built once; with the user's modules, and with a container engine where there is one."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from wheels import make_source_package, make_wheel

from kuberacer.sim.track import load_track

REWARD = "def reward_function(params):\n    return params['speed']\n"
WITH_MODULE = "import lanes\ndef reward_function(params):\n    return lanes.weight(params['x'])\n"


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A folder with inputs, a cache of its own, and a package index that is a folder."""
    (tmp_path / "index").mkdir()
    (tmp_path / "reward.py").write_text(REWARD)
    with (tmp_path / "route").open("wb") as file:
        np.save(file, load_track("pebble").route())
    monkeypatch.setenv("KUBERACER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.setenv("KUBERACER_IMAGE_RACE", "localhost/kuberacer-no-such-image:1")
    make_wheel(tmp_path / "index", "lanes", "1.2", "def weight(x):\n    return 2 * x\n", requires="lanebase>=1")
    make_wheel(tmp_path / "index", "lanebase", "1.0", "")
    return tmp_path


def run_stage(place: Path, *more: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "kuberacer.stages.build_sim_image"]
    command += ["--reward-file", str(place / "reward.py"), "--track-file", str(place / "route")]
    command += ["--environment", str(place / "out" / "environment"), "--digest", str(place / "out" / "digest")]
    return subprocess.run([*command, *more], capture_output=True, text=True)


def build(place: Path, *more: str) -> tuple[dict, str]:
    ended = run_stage(place, *more)
    assert ended.returncode == 0, ended.stderr
    environment = json.loads((place / "out" / "environment").read_text())
    assert (place / "out" / "digest").read_text() == environment["digest"]
    return environment, ended.stdout


def test_same_input_is_built_once(place):
    first, said = build(place, "--run", "one")
    assert "built (no extra modules)" in said
    again, said = build(place, "--run", "two")
    assert first == again
    assert "the same as before, not built again" in said
    assert (first["kind"], first["site"], first["modules"]) == ("local", None, [])
    folder = Path(first["reference"])
    assert sorted(file.name for file in folder.iterdir()) == [
        "modules.lock",
        "race.json",
        "reward_function.py",
        "route.npy",
    ]
    assert load_track(str(folder / "route.npy")).digest() == load_track("pebble").digest()
    assert (folder / "reward_function.py").read_text() == REWARD


def test_digest_depends_on_the_content_alone(place, monkeypatch):
    first, _ = build(place)
    monkeypatch.setenv("KUBERACER_CACHE", str(place / "other"))
    os.utime(place / "reward.py", (0, 0))
    assert build(place)[0]["digest"] == first["digest"]
    assert build(place, "--race", '{"b": 1, "a": 2}')[0] == build(place, "--race", '{"a": 2,  "b": 1}')[0]
    digests = {first["digest"], build(place, "--race", '{"a": 1}')[0]["digest"]}
    digests.add(build(place, "--requirements", "lanes")[0]["digest"])
    (place / "reward.py").write_text(REWARD + "\n")
    digests.add(build(place)[0]["digest"])
    with (place / "route").open("wb") as file:
        np.save(file, load_track("kidney").route())
    digests.add(build(place)[0]["digest"])
    assert len(digests) == 5


def test_modules_are_installed_once_and_work(place):
    (place / "reward.py").write_text(WITH_MODULE)
    made, said = build(place, "--requirements", "# mine\nlanes>=1\n")
    assert "built (lanebase 1.0, lanes 1.2)" in said
    assert {module["name"] for module in made["modules"]} == {"lanes", "lanebase"}
    assert (Path(made["site"]) / "lanes.py").exists()
    # The index is empty now: nothing is asked again.
    shutil.rmtree(place / "index")
    again, said = build(place, "--requirements", "lanes>=1")
    assert again == made
    assert "not built again" in said
    command = [sys.executable, "-m", "kuberacer.stages.validate_reward", "--reward", str(place / "reward.py")]
    command += ["--track", "pebble", "--requirements", "lanes>=1"]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def test_modules_come_back_on_another_machine(place, monkeypatch):
    from kuberacer.reward.extra_modules import site_of

    made, _ = build(place, "--requirements", "lanes")
    assert site_of(made) == Path(made["site"])
    shutil.rmtree(place / "cache")
    monkeypatch.setenv("KUBERACER_CACHE", str(place / "elsewhere"))
    site = site_of(made)
    assert site is not None
    assert site != Path(made["site"])
    assert (site / "lanes.py").exists()
    assert site_of({**made, "modules": [], "site": None}) is None


def test_too_many_modules_are_refused(place, monkeypatch):
    from kuberacer.errors import UserError
    from kuberacer.reward import extra_modules

    monkeypatch.setattr(extra_modules, "MOST_MIB", 0)
    with pytest.raises(UserError, match="the reward's modules take 0 MiB, at most 0 are taken"):
        extra_modules.install("lanes")
    assert not list((place / "cache" / "modules").iterdir())


def test_a_package_of_the_real_index(tmp_path):
    """colorama is 25 kB and needs nothing: resolved, locked, installed, imported within the limits."""
    reward = "from colorama import Fore\ndef reward_function(params):\n    return float(len(Fore.RED))\n"
    environment = {**os.environ, "KUBERACER_CACHE": str(tmp_path)}
    command = [sys.executable, "-m", "kuberacer.stages.validate_reward", "--reward", reward, "--track", "pebble"]
    ended = subprocess.run(
        [*command, "--requirements", "colorama==0.4.6"], capture_output=True, text=True, env=environment
    )
    if "the package index cannot be reached" in ended.stderr:
        pytest.skip("no package index can be reached from here")
    assert ended.returncode == 0, ended.stderr
    assert "min 5.000; mean 5.000" in ended.stdout
    (locked,) = (tmp_path / "resolved").iterdir()
    ((name, version, digest),) = json.loads(locked.read_text())
    assert (name, version, len(digest)) == ("colorama", "0.4.6", 64)


def test_a_changed_wheel_is_refused(place):
    from kuberacer.errors import UserError
    from kuberacer.reward.extra_modules import Module, install_locked

    with pytest.raises(UserError, match="download the modules"):
        install_locked([Module("lanes", "1.2", "0" * 64)])
    assert not list((place / "cache" / "modules").iterdir())


@pytest.mark.parametrize(
    ("requirements", "words"),
    [
        ("no-such-thing", "the package index knows no package 'no-such-thing'"),
        ("lanes==7", "package 'lanes' has no version that fits 'lanes==7'"),
        ("olden", "package 'olden' has no wheel for Python"),
        ("numpy<1", "do not go together with KubeRacer's own packages"),
        ("lanes\n=broken", "requirements line 2: '=broken'"),
        ("lanes @ file:///tmp/lanes.whl", "is an address"),
        ("--index-url=http://example", "requirements line 1"),
    ],
)
def test_faults_of_requirements(place, requirements, words):
    make_source_package(place / "index", "olden", "1.0", place / "harm")
    make_wheel(place / "index", "numpy", "0.9", "")
    ended = run_stage(place, f"--requirements={requirements}")
    assert ended.returncode == 1
    cause, remedy = ended.stderr.splitlines()
    assert words in cause
    assert remedy.startswith("remedy: ")
    assert not (place / "harm").exists()


def test_faults_of_the_other_inputs(place, monkeypatch):
    for more, words in [(["--race", "{"], "not JSON"), (["--race", "[1]"], "not a JSON object")]:
        ended = run_stage(place, *more)
        assert ended.returncode == 1
        assert words in ended.stderr
    (place / "file").write_text("")
    monkeypatch.setenv("KUBERACER_CACHE", str(place / "file" / "cache"))
    assert "cache folder" in run_stage(place).stderr
    (place / "reward.py").unlink()
    monkeypatch.undo()
    assert "cannot be read" in run_stage(place).stderr


@pytest.mark.skipif(shutil.which("buildah") is None, reason="no container engine here")
def test_image(place, monkeypatch):
    base = "localhost/kuberacer-test-base:1"
    container = subprocess.run(["buildah", "from", "scratch"], capture_output=True, text=True)
    if container.returncode:
        pytest.skip("the container engine does not work here")
    monkeypatch.setenv("BUILDAH_ISOLATION", "chroot")
    name = container.stdout.strip()
    subprocess.run(["buildah", "commit", "--quiet", name, base], check=True, capture_output=True)
    subprocess.run(["buildah", "rm", name], check=True, capture_output=True)
    monkeypatch.setenv("KUBERACER_IMAGE_RACE", base)
    made, said = build(place, "--requirements", "lanes")
    try:
        assert made["kind"] == "image"
        assert ": built" in said
        inside = json.loads(subprocess.run(["buildah", "inspect", made["reference"]], capture_output=True).stdout)
        assert inside["OCIv1"]["config"]["Labels"]["org.kuberacer.content"] == made["digest"]
        again, said = build(place, "--requirements", "lanes")
        assert again == made
        assert "not built again" in said
    finally:
        subprocess.run(["buildah", "rmi", made["reference"], base], capture_output=True)


def test_help_has_an_example(place):
    assert "example:\n  python -m kuberacer.stages.build_sim_image" in run_stage(place, "--help").stdout


@pytest.mark.parametrize("how", ["argument", "variable"])
def test_registry_without_a_cluster_is_explained(place, monkeypatch, how):
    """Nothing is built anywhere else in its stead."""
    monkeypatch.setenv("KUBECONFIG", str(place / "none"))
    monkeypatch.setenv("HOME", str(place))
    for name, value in (("ENDPOINT", "http://127.0.0.1:1"), ("BUCKET", "kuberacer")):
        monkeypatch.setenv(f"KUBERACER_S3_{name}", value)
    if how == "variable":
        monkeypatch.setenv("KUBERACER_REGISTRY", "not a registry")
        more, expected = [], "error: 'not a registry' is not the name of a registry"
    else:
        more, expected = ["--registry", "registry.example/team"], "error: a registry is named, but there is no cluster"
    ended = run_stage(place, *more)
    assert ended.returncode == 1
    assert ended.stderr.startswith(expected), ended.stderr
    assert "remedy: " in ended.stderr
    assert not (place / "out" / "environment").exists()
