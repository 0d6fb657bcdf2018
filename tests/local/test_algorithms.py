"""The tutorial, run: each algorithm by its preset file alone, from training to the car's archive, at small size."""

import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.test_race import Run

ROOT = Path(__file__).parents[2]
SMALL = {"batch_size": 32, "rollout_steps": 64, "heatup_steps": 64, "updates_per_iteration": 2, "replay_size": 1000}
TINY = ("--minutes", "0", "--steps", "128", "--cars", "8", "--trials", "1", "--resets", "1", "--track", "pebble")
# The car's archive has the graph under the names of the algorithm that the car knows.
OUTPUTS = {
    "dqn": ("clipped_ppo", b"main_level/agent/main/online/network_1/ppo_head_0/policy"),
    "rainbow": ("clipped_ppo", b"main_level/agent/main/online/network_1/ppo_head_0/policy"),
    "sac": ("sac", b"main_level/agent/policy/online/network_0/sac_policy_head_0/policy"),
    "td3": ("sac", b"main_level/agent/policy/online/network_0/sac_policy_head_0/policy"),
}
# Writes down, at import and when it is called, which process executes it.
WITNESS = """
import os, sys
def witness(what):
    with open({path!r}, "a") as file:
        print(what, os.getpid(), " ".join(sys.orig_argv[:4]), file=file)
witness("imported")
{source}
plain = get_graph_manager
def get_graph_manager(**hyper):
    witness("called")
    return plain(**hyper)
"""


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("algorithms") / "out"


def finished(out: Path, preset: Path, *arguments: str) -> Run:
    hyperparameters = out.parent / "hyperparameters.json"
    hyperparameters.write_text(json.dumps(SMALL))
    run = Run.start(out, *TINY, "--preset", str(preset), "--hyperparameters", str(hyperparameters), *arguments)
    try:
        assert run.end() == 0, run.errors
    finally:
        run.process.kill()
        run.process.wait()
    return run


@pytest.fixture(scope="module", params=sorted(OUTPUTS))
def algorithm(request: pytest.FixtureRequest, out: Path) -> Iterator[str]:
    """Its run is the latest one. It goes when it is not needed any more: with its store it has a gigabyte."""
    finished(out, ROOT / "presets" / f"{request.param}.py")
    yield request.param
    shutil.rmtree((out / "latest").resolve())


def test_a_preset_file_is_all_that_changes(algorithm: str, out: Path) -> None:
    folder = out / "latest"
    record = json.loads((folder / "run.json").read_text())
    card = json.loads((folder / "model_card.json").read_text())
    assert (record["algorithm"], card["algorithm"], record["trials"]) == (algorithm, algorithm, 1)
    assert card["preset"] == (ROOT / "presets" / f"{algorithm}.py").read_text()
    assert card["hyperparameters"]["updates_per_iteration"] == 2
    assert all(difference < 1e-4 for difference in card["checks"].values())
    known, output = OUTPUTS[algorithm]
    with tarfile.open(folder / "model.tar.gz") as archive:
        members = {Path(member.name).name: archive.extractfile(member) for member in archive if member.isfile()}
        graph, metadata = (members[name] for name in ("model.pb", "model_metadata.json"))
        assert graph is not None
        assert metadata is not None
        assert output in graph.read()
        assert json.loads(metadata.read())["training_algorithm"] == known
    steps = [line for line in (folder / "logs" / "train.log").read_text().splitlines() if "iteration" in line]
    assert len(steps) >= 2


def test_only_the_trainer_executes_a_preset(out: Path, tmp_path: Path) -> None:
    """With rollout workers, too: they play its policies and never see its source."""
    path = tmp_path / "executed"
    preset = tmp_path / "witness.py"
    source = (ROOT / "presets" / "rainbow.py").read_text()
    preset.write_text(WITNESS.format(path=str(path), source=source))
    finished(out, preset, "--rollout-workers", "1", "--cars-per-worker", "8")
    rows = [line.split(" ", 2) for line in path.read_text().splitlines()]
    assert [what for what, _, _ in rows].count("imported") == 1
    assert len({process for _, process, _ in rows}) == 1
    assert all("kuberacer.stages.train" in command for _, _, command in rows)
