"""Every conformance pipeline, run on a real Argo Workflows, has the outputs that it has in local processes."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from argo_runs import ArgoRun, Watched
from conformance import artifacts, conditions, exit_handlers, loops, nested, placeholders, pods, retries, texts
from conformance.case import Case

MODULES = (artifacts, conditions, exit_handlers, loops, nested, placeholders, pods, retries, texts)
CASES = {f"{module.__name__.rpartition('.')[2]}-{case.name}": case for module in MODULES for case in module.CASES}


@pytest.fixture(scope="module")
def runs(namespace: str, store: Any, request: pytest.FixtureRequest) -> Iterator[dict[str, Future[Watched]]]:
    """The cases that were asked for, a few at a time."""
    wanted = {item.callspec.id for item in request.session.items if hasattr(item, "callspec")}

    def run(case: Case) -> Watched:
        return ArgoRun.start(case.pipeline, case.arguments, namespace, store).wait()

    with ThreadPoolExecutor(4) as pool:
        yield {name: pool.submit(run, case) for name, case in CASES.items() if name in wanted}


def ordered(outputs: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    return {name: sorted(found, key=repr) for name, found in outputs.items()}


@pytest.mark.parametrize("name", CASES, ids=str)
def test_outputs_are_those_of_a_local_run(name: str, runs: dict[str, Future[Watched]]) -> None:
    case, watched = CASES[name], runs[name].result()
    assert ordered(watched.outputs) == ordered(case.outputs)
    assert tuple(watched.failed) == case.failed
    assert watched.phase == ("Failed" if case.failed else "Succeeded")
