"""The conformance pipelines, run on a real Kubeflow Pipelines, have the outputs that they have in local processes."""

import re
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from conformance import artifacts, conditions, exit_handlers, loops, nested, placeholders, plain, retries
from conformance.case import Case

from kuberacer.errors import UserError
from kuberacer.run.compile import compile_to_text
from kuberacer.run.local.artifacts import Artifact
from kuberacer.run.remote.cluster import Cluster
from kuberacer.run.remote.follow import Follower
from kuberacer.run.remote.kfp import KfpEngine

MODULES = (artifacts, conditions, exit_handlers, loops, nested, placeholders, plain, retries)
CASES = {f"{module.__name__.rpartition('.')[2]}-{case.name}": case for module in MODULES for case in module.CASES}
CASES |= {f"plain-{case.name}": case for case in plain.ON_A_CLUSTER}
# What a Kubeflow Pipelines 2.0 refuses or leaves undone, as tried on 2.0.5.
NOT_BEFORE_2_1 = {
    "conditions": "finds no task with a display name of its own, and knows no OneOf",
    "exit_handlers": "refuses PipelineTaskFinalStatus",
    "loops": "refuses what waits for a loop (Collected)",
    "nested": "knows no outputs of pipelines that are steps",
    "placeholders": "leaves Concat and If placeholders as they are",
}
LIMIT_S = 500  # most of ten minutes, for all of them


@dataclass
class Watcher:
    """Collects what ran, by the steps' names."""

    outputs: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    failed_steps: list[str] = field(default_factory=list)
    error: UserError | None = None

    def started(self, path: str) -> None: ...

    def held(self, path: str, pods: Any) -> None: ...

    def printed(self, path: str, line: str) -> None: ...

    def ended(self, path: str, outputs: dict[str, Any], cached: bool) -> None:
        self.outputs[_step(path)].append({name: _shown(value) for name, value in outputs.items()})

    def failed(self, path: str, error: UserError) -> None:
        self.failed_steps.append(_step(path))


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
    """Once more when the cluster's own Kubeflow Pipelines was away for a moment: its drivers do not wait for it."""
    watcher = run_once(case, folder)
    away = watcher.error is not None and "KFP driver" in str(watcher.error) and "refused" in str(watcher.error)
    return run_once(case, folder) if away else watcher


def run_once(case: Case, folder: Path) -> Watcher:
    watcher = Watcher()
    with KfpEngine(Cluster()) as engine:
        id = engine.submit(compile_to_text(case.pipeline), case.arguments, f"conformance-{case.name}")
        follower = Follower(engine, id, watcher, folder / "logs", folder / "scratch", wanted=lambda path: None)
        try:
            follower.run()
        except UserError as error:
            watcher.error = error
        finally:
            engine.delete(id)
    return watcher


@pytest.fixture(scope="module")
def runs(
    kubeconfig: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Watcher]]]:
    """The cases that were asked for and that this server can do, a few at a time."""
    cluster = Cluster()
    if cluster.find("/api/v1/namespaces/kubeflow/services/ml-pipeline") is None:
        pytest.skip("no Kubeflow Pipelines in the cluster")
    secret = {"metadata": {"name": "conformance"}, "stringData": {"word": "secret"}}
    cluster.apply("/api/v1/namespaces/kubeflow/secrets", secret)
    old = _version(cluster) < (2, 1)
    wanted = {item.callspec.id for item in request.session.items if hasattr(item, "callspec")}
    names = [name for name in CASES if name in wanted and not (old and name.partition("-")[0] in NOT_BEFORE_2_1)]
    with ThreadPoolExecutor(4) as pool:
        yield {name: pool.submit(run, CASES[name], tmp_path_factory.mktemp(name.replace(" ", "-"))) for name in names}
    cluster.call("DELETE", "/api/v1/namespaces/kubeflow/secrets/conformance")


def _version(cluster: Cluster) -> tuple[int, int]:
    """Of the server, by its image's tag; newest when that does not tell."""
    deployment = cluster.get("/apis/apps/v1/namespaces/kubeflow/deployments/ml-pipeline")
    found = re.search(r":v?(\d+)\.(\d+)", deployment["spec"]["template"]["spec"]["containers"][0]["image"])
    return (int(found[1]), int(found[2])) if found else (99, 0)


def ordered(outputs: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    return {name: sorted(found, key=repr) for name, found in outputs.items()}


@pytest.mark.parametrize("name", CASES, ids=str)
def test_outputs_are_those_of_a_local_run(name: str, runs: dict[str, Future[Watcher]]) -> None:
    if name not in runs:
        pytest.skip(f"Kubeflow Pipelines 2.0 {NOT_BEFORE_2_1[name.partition('-')[0]]}")
    case, watcher = CASES[name], runs[name].result(LIMIT_S)
    assert ordered(watcher.outputs) == ordered(case.outputs), watcher.error
    assert tuple(watcher.failed_steps) == case.failed
