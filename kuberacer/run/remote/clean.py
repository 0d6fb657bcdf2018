"""What a run has on a cluster: its workflows with their pods, what these made, its artifacts, its objects."""

import contextlib
import time
from pathlib import Path
from typing import Any

from kuberacer.errors import UserError
from kuberacer.run.clean import Found, things_of_store
from kuberacer.run.race import compiled_text
from kuberacer.run.record import earlier_remotes
from kuberacer.run.remote.cluster import NotThere
from kuberacer.run.remote.follow import until_ended
from kuberacer.run.remote.model import RUN_LABEL, Engine
from kuberacer.run.remote.race import engine_of
from kuberacer.run.remote.stores import STORE_SECRET, runs_store
from kuberacer.run.spec import read_pipeline
from kuberacer.run.spec.model import Component, Graph, Pipeline
from kuberacer.run.things import Thing, objects
from kuberacer.store.client import ObjectStore

GONE_S = 90.0
KINDS = ("/api/v1/namespaces/{}/pods", "/apis/batch/v1/namespaces/{}/jobs", "/api/v1/namespaces/{}/services")


def of_cluster(
    stack: contextlib.ExitStack, folder: Path, record: dict[str, Any], stop: bool, keep_results: bool, found: Found
) -> None:
    """Add what the run has there. Raises UserError when it is going on, unless it may be ended first."""
    remotes = earlier_remotes(folder)
    own = _own_steps(read_pipeline(compiled_text(record.get("pipeline", "race"), folder.parent), "the pipeline"))
    for remote in remotes:
        engine = stack.enter_context(engine_of(remote.backend, remote.namespace))
        _end(engine, remote.id, folder.name, stop)
        if not keep_results:
            things = _artifacts(engine, remote.id, own)
            if things is None:
                found.remains.append(f"artifacts of {remote.id}: {remote.backend} has forgotten where they lie")
            found.things += things or []
        what = f"{remote.backend} run {remote.id} in {remote.namespace}, with its pods, Jobs and Services"
        found.things.append(Thing(what, lambda engine=engine, id=remote.id: _delete(engine, id, folder.name)))  # type: ignore[misc]
    if keep_results:
        found.remains.append(f"{folder} and its objects in the store")
        return
    cluster = engine.cluster
    namespace = remotes[-1].namespace
    if cluster.secret(namespace, STORE_SECRET) is None:  # it was taken out of the cluster, with its store
        found.remains.append(f"its objects, where the store is still there: {namespace} has no secret {STORE_SECRET}")
        return
    store = stack.enter_context(runs_store(cluster, namespace))
    found.things += things_of_store(store, folder.name)


def _end(engine: Engine, id: str, run: str, stop: bool) -> None:
    with contextlib.suppress(NotThere):
        if engine.status(id).state.ended:
            return
        if not stop:
            raise UserError(
                f"the run {run} is going on: {engine.address(id)}", "wait for its end, or end it first: STOP=1 (--stop)"
            )
        print(f"ending the run {run} on the cluster", flush=True)
        engine.terminate(id)
        until_ended(engine, id)


def _own_steps(pipeline: Pipeline) -> set[str]:
    """Names of the tasks that are given the run's name: no other run is given their outputs by a cache."""

    def of(component: Component) -> set[str]:
        if not isinstance(component.body, Graph):
            return set()
        names = set()
        for task in component.body.tasks.values():
            called = pipeline.components[task.component]
            names |= of(called) | ({task.name} if "run" in called.parameters else set())
        return names

    return of(pipeline.root)


def _artifacts(engine: Engine, id: str, own: set[str]) -> list[Thing] | None:
    """What the engine keeps of the steps' outputs, as far as no remembered step of another run may read it.

    None when the engine does not know the run any more."""
    stores: dict[str, tuple[ObjectStore, list[str]]] = {}
    try:
        for path, store, key in engine.artifacts(id):
            if path.rpartition(".")[2].partition("[")[0] in own:
                _, places = stores.setdefault(store.address(""), (store, []))
                places += [key, f"{key.rstrip('/')}/"]
    except NotThere:
        return None
    found = (
        objects(store, places, f"artifacts of its steps in {address}") for address, (store, places) in stores.items()
    )
    return [thing for thing in found if thing is not None]


def _delete(engine: Engine, id: str, run: str) -> None:
    """Until nothing of it is there; what belongs to its pods goes with them."""
    engine.delete(id)
    until = time.monotonic() + GONE_S
    while left := [*engine.pods(id), *_labelled(engine, run)]:
        if time.monotonic() > until:
            raise UserError(
                f"{len(left)} objects of {run} are still in the cluster after {GONE_S:.0f} s: {', '.join(left[:5])}",
                "see what holds them (kubectl describe), and run this again",
            )
        time.sleep(1)


def _labelled(engine: Engine, run: str) -> list[str]:
    """Names of what carries the run's label. Labels end at 63 characters: a longer name's may be another run's."""
    if len(run) > 63:
        return []
    found = []
    for kind in KINDS:
        items = engine.cluster.items(kind.format(engine.namespace), labelSelector=f"{RUN_LABEL}={run}")
        found += [item["metadata"]["name"] for item in items]
    return found
