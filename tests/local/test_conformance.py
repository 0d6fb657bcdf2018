"""Every conformance pipeline, run for real in local processes, has the outputs that KFP means."""

import asyncio
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from conformance import artifact_lists, artifacts, everywhere, nested, retries, steps
from conformance.case import Case
from kfp import dsl

from kuberacer.errors import UserError
from kuberacer.run.compile import compile_to_text
from kuberacer.run.local import Environments, LocalRunner, TaskFailed
from kuberacer.run.local.artifacts import Artifact
from kuberacer.run.local.cache import TaskCache
from kuberacer.run.spec import read_pipeline

MODULES = (*everywhere.MODULES, artifact_lists)
CASES = [pytest.param(case, id=f"{module.__name__}-{case.name}") for module in MODULES for case in module.CASES]


class Watcher:
    """Collects what ran, by the steps' names."""

    def __init__(self) -> None:
        self.outputs: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.failures: list[str] = []
        self.retried = 0
        self.cached: list[bool] = []

    def started(self, path: str) -> None: ...

    def printed(self, path: str, line: str) -> None: ...

    def ended(self, path: str, outputs: dict[str, Any], cached: bool) -> None:
        self.retried += self.failures.count(_step(path))
        self.failures = [step for step in self.failures if step != _step(path)]
        self.outputs[_step(path)].append({name: _shown(value) for name, value in outputs.items()})
        self.cached.append(cached)

    def failed(self, path: str, error: UserError) -> None:
        self.failures.append(_step(path))


def _step(path: str) -> str:
    return path.rpartition(".")[2].partition("[")[0]


def _shown(value: Any) -> Any:
    if not isinstance(value, Artifact):
        return value
    place = Path(value.uri)
    if place.is_dir():
        return {str(file.relative_to(place)): file.read_text() for file in place.rglob("*") if file.is_file()}
    return place.read_text() if place.exists() else dict(value.metadata)


def run(case: Case, folder: Path) -> Watcher:
    watcher = Watcher()
    (folder / "logs").mkdir(exist_ok=True)
    runner = LocalRunner(
        pipeline=read_pipeline(compile_to_text(case.pipeline)),
        environments=Environments(interpreters={"python": Path(sys.executable)}),
        cache=TaskCache(folder / "cache"),
        logs=folder / "logs",
        run_name="test",
        observer=watcher,
    )
    if case.failed:
        with pytest.raises(TaskFailed):
            asyncio.run(runner.run(case.arguments))
    else:
        asyncio.run(runner.run(case.arguments))
    return watcher


def ordered(outputs: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    return {name: sorted(found, key=repr) for name, found in outputs.items()}


@pytest.mark.parametrize("case", CASES)
def test_outputs_are_those_that_kfp_means(case: Case, tmp_path: Path) -> None:
    watcher = run(case, tmp_path)
    assert ordered(watcher.outputs) == ordered(case.outputs)
    assert tuple(dict.fromkeys(watcher.failures)) == case.failed
    assert not list((tmp_path / "cache").glob("unfinished-*"))


def test_finished_tasks_are_not_run_again(tmp_path: Path) -> None:
    case = artifacts.CASES[0]
    assert run(case, tmp_path).cached == [False, False]
    again = run(case, tmp_path)
    assert again.cached == [True, True]
    assert ordered(again.outputs) == ordered(case.outputs)


def test_a_step_without_caching_runs_again(tmp_path: Path) -> None:
    run(retries.CASES[0], tmp_path)
    assert sorted(run(retries.CASES[0], tmp_path).cached) == [False, False, True]


def test_a_failed_attempt_is_repeated(tmp_path: Path) -> None:
    once = (
        "import os, sys; mark = os.path.join(sys.argv[1], 'attempted')\n"
        "if not os.path.exists(mark): open(mark, 'w').close(); sys.exit(5)\n"
        "open(sys.argv[2], 'w').write('second')"
    )

    @dsl.container_component
    def second_time(folder: str, said: dsl.OutputPath(str)):
        return dsl.ContainerSpec(image="python", command=["python", "-c", once], args=[folder, said])

    @dsl.pipeline(name="attempts")
    def attempts(folder: str):
        second_time(folder=folder).set_retry(1, "0s")

    watcher = run(Case("attempts", attempts, {}, {"folder": str(tmp_path)}), tmp_path)
    assert watcher.outputs == {"second-time": [{"said": "second"}]}
    assert watcher.retried == 1


def test_an_importer_brings_a_file_in(tmp_path: Path) -> None:
    (tmp_path / "track").write_text("a track")

    @dsl.pipeline(name="import")
    def importing(where: str):
        nested.look(picture=dsl.importer(artifact_uri=where, artifact_class=dsl.Artifact).output)

    case = Case("importer", importing, {}, {"where": str(tmp_path / "track")})
    assert run(case, tmp_path).outputs == {"look": [{"seen": "a track"}]}


def test_steps_that_do_not_wait_for_each_other_run_at_once(tmp_path: Path) -> None:
    meet = (
        "import os, sys, time\n"
        "open(os.path.join(sys.argv[1], sys.argv[2]), 'w').close()\n"
        "while len(os.listdir(sys.argv[1])) < 2: time.sleep(0.01)\n"
    )

    @dsl.container_component
    def meeting(folder: str, name: str):
        return dsl.ContainerSpec(image="python", command=["python", "-c", meet], args=[folder, name])

    @dsl.pipeline(name="meetings")
    def meetings(folder: str):
        meeting(folder=folder, name="a")
        meeting(folder=folder, name="b")

    (tmp_path / "shared").mkdir()
    case = Case("meetings", meetings, {}, {"folder": str(tmp_path / "shared")})
    assert len(run(case, tmp_path).outputs) == 2


def test_after_a_failure_no_further_turn_of_a_loop_starts(tmp_path: Path) -> None:
    @dsl.pipeline(name="fails")
    def fails():
        with dsl.ParallelFor(["a", "b", "c"], parallelism=1) as letter:
            steps.say(text="after").after(steps.fail(message=letter))

    watcher = run(Case("fails", fails, {}, {}, failed=("fail",)), tmp_path)
    assert not watcher.outputs
    assert watcher.failures == ["fail"]
