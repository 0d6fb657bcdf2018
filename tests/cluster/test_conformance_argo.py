"""Every conformance pipeline, run on a real Argo Workflows, has the outputs that it has in local processes."""

import itertools
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from argo_runs import ArgoRun, Watched, cache_of
from conformance import artifacts, everywhere, loops, pods, retries
from conformance.case import IMAGE, Case
from kfp import dsl

from kuberacer.run.argo import Options

MODULES = (*everywhere.MODULES, pods)
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
    assert watched.phase == ("Failed" if case.failed else "Succeeded"), watched.message
    assert ordered(watched.outputs) == ordered(case.outputs)
    assert tuple(watched.failed) == case.failed


def test_no_more_turns_at_once_than_the_loop_allows(namespace: str, store: Any) -> None:
    watched = ArgoRun.start(loops.loops, {"words": ["one", "two", "three"]}, namespace, store).wait()
    (loop,) = [node for node in watched.nodes.values() if node["displayName"] == "for-loop-7"]
    turns = [node for node in watched.nodes.values() if node.get("boundaryID") == loop["id"] and node["type"] == "DAG"]
    times = sorted((node["startedAt"], node["finishedAt"]) for node in turns)
    assert len(times) == 3
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(times))


def test_finished_steps_are_not_run_again(namespace: str, store: Any) -> None:
    case = artifacts.CASES[0]
    options = Options(cache=f"{cache_of(namespace)}-again")
    for cached in (set(), {"make", "read"}):
        watched = ArgoRun.start(case.pipeline, case.arguments, namespace, store, options).wait()
        assert ordered(watched.outputs) == ordered(case.outputs)
        assert watched.cached == cached


@pytest.mark.parametrize("grace_s", [0, 20], ids=["gone", "terminated"])
def test_a_step_whose_pod_is_lost_runs_once_more(grace_s: int, namespace: str, store: Any) -> None:
    """Though nobody asked for retries: gone as with its node, or terminated as by a drain."""
    from kubernetes import client

    @dsl.container_component
    def wait(said: dsl.OutputPath(str)):
        program = "import sys, time; time.sleep(25); open(sys.argv[1], 'w').write('done')"
        return dsl.ContainerSpec(image=IMAGE, command=["python", "-c", program], args=[said])

    @dsl.pipeline(name="lost")
    def lost():
        wait().set_caching_options(False)

    run = ArgoRun.start(lost, {}, namespace, store)

    def is_running(status: dict[str, Any]) -> bool:
        return any(node["type"] == "Pod" and node["phase"] == "Running" for node in status.get("nodes", {}).values())

    run.until(is_running)
    time.sleep(12)  # longer than Argo waits for the pod of a step that has just begun
    (pod,) = run.pods()
    client.CoreV1Api().delete_namespaced_pod(pod.metadata.name, namespace, grace_period_seconds=grace_s)
    watched = run.wait()
    assert watched.phase == "Succeeded", watched.message
    assert watched.outputs == {"wait": [{"said": "done"}]}
    assert pod.metadata.uid not in {one.metadata.uid for one in run.pods()}


def test_each_failed_attempt_leaves_its_log_in_the_store(namespace: str, store: Any) -> None:
    watched = ArgoRun.start(retries.CASES[1].pipeline, {}, namespace, store).wait()
    pods = [node for node in watched.nodes.values() if node["type"] == "Pod"]
    logs = [one for node in pods for one in node["outputs"]["artifacts"] if one["name"] == "main-logs"]
    assert [store.read(log["s3"]["key"]) for log in logs] == [b"error: again\n"] * 2
