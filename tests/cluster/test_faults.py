"""A distributed training on a real cluster is hurt in every way and learns the same steps an iteration all the same.

One run takes all faults, one after the other, so that a cluster of two processors can show them in minutes.
"""

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import faults
import pytest
from deployment import kubectl, overlay
from race_runs import Command, need_image

from kuberacer.run.remote.cluster import Cluster

QUOTA, ITERATIONS = 512, 12  # steps an iteration
LINE = re.compile(r"^train: iteration (\d+) .*?([\d,]+) steps")


@pytest.fixture(scope="module")
def start(deployed: str, kubeconfig: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Command]]:
    need_image(Cluster())
    out, commands = tmp_path_factory.mktemp("faults") / "out", []

    def start_command(*arguments: str, **environment: str) -> Command:
        commands.append(Command.start(out, *arguments, KUBERACER_NAMESPACE=deployed, **environment))
        return commands[-1]

    yield start_command
    for command in commands:
        command.process.kill()


def training(folder: Path, iterations: int, track: str = "pebble") -> tuple[str, ...]:
    """Arguments of a run of so many short iterations with two rollout workers.

    Tests that empty the store need tracks of their own: Argo remembers what lay in it.
    """
    small = {"rollout_steps": QUOTA, "batch_size": 128, "num_epochs": 1}
    (folder / "small.json").write_text(json.dumps(small))
    settings = ("--track", track, "--trials", "1", "--minutes", "0", "--steps", str(QUOTA * iterations))
    workers = ("--rollout-workers", "2", "--cars-per-worker", "8")
    return ("run", "--backend", "argo", *settings, *workers, "--hyperparameters", str(folder / "small.json"))


def iterations(run: Command) -> list[tuple[int, int]]:
    """(iteration, environment steps so far) of every progress line."""
    matches = (LINE.match(line) for line in run.lines)
    return [(int(found[1]), int(found[2].replace(",", ""))) for found in matches if found]


def after(run: Command, more: int = 2) -> int:
    """Wait for so many more iterations; the last one's number."""
    last = iterations(run)[-1][0]
    run.wait_for(f"train: iteration {last + more} ")
    return iterations(run)[-1][0]


def went_on_after(run: Command, times: int) -> int:
    """The iteration that the trainer's start number `times` after the first went on from."""
    until = time.monotonic() + 300
    while True:
        found = [int(m[1]) for line in run.lines if (m := re.search(r"goes on after iteration (\d+)", line))]
        if len(found) >= times:
            return found[times - 1]
        assert run.process.poll() is None, (run.lines, run.errors)
        assert time.monotonic() < until, run.lines
        time.sleep(0.5)


def test_a_training_learns_the_same_steps_whatever_happens(
    start: Callable[..., Command], deployed: str, tmp_path: Path
) -> None:
    run = start(*training(tmp_path, ITERATIONS))
    run.wait_for("train: iteration 1 ")

    worker = faults.pods(deployed, "kuberacer.io/role=rollout")[1]["metadata"]["name"]
    faults.sigkill_pod(deployed, worker)
    after(run, 1)

    faults.sigkill_process(deployed, faults.trainer(deployed), "valkey-server")
    after(run)

    if faults.sigkill_container(deployed, "kuberacer-store-0"):
        after(run)

    last = iterations(run)[-1][0]
    faults.sigkill_process(deployed, faults.trainer(deployed), "kuberacer.stages.train")
    assert went_on_after(run, 1) >= last - 1, "a checkpoint was lost"
    after(run, 1)

    last = iterations(run)[-1][0]
    pod = faults.trainer(deployed)
    began = time.monotonic()
    faults.evict(deployed, pod)
    kubectl("-n", deployed, "wait", "--for=delete", f"pod/{pod}", "--timeout=60s", check=False)
    left = time.monotonic() - began
    assert went_on_after(run, 2) >= last, "the checkpoint of an evicted trainer was lost"
    assert left < 45, f"the trainer took {left:.0f} s to leave"

    assert run.end() == 0, (run.lines, run.errors)
    seen = iterations(run)
    assert dict(seen) == {n: n * QUOTA for n in range(1, ITERATIONS + 1)}
    assert len(set(seen)) == ITERATIONS, "an iteration learned other steps the second time"


@pytest.fixture
def small_disk(deployed: str) -> Iterator[str]:
    """The store's pod, on a disk of 2 GiB of memory."""
    if "scratch-store" not in overlay():
        pytest.skip("the store is on a volume of the cluster, whose size nobody keeps")
    sized = {"name": "data", "emptyDir": {"medium": "Memory", "sizeLimit": "2Gi"}}
    scratch = {"name": "data", "emptyDir": {"medium": "", "sizeLimit": "20Gi"}}
    for volume in (sized, scratch):
        limits = {"name": "store", "resources": {"limits": {"memory": "4Gi" if volume is sized else "2Gi"}}}
        patch = {"spec": {"template": {"spec": {"volumes": [volume], "containers": [limits]}}}}
        kubectl("-n", deployed, "patch", "statefulset", "kuberacer-store", "-p", json.dumps(patch))
        kubectl("-n", deployed, "rollout", "status", "statefulset/kuberacer-store", "--timeout=180s")
        if volume is sized:
            yield "kuberacer-store-0"


FILL = """
import os
with open("/data/filler", "wb") as file:
    size = 0
    while (free := os.statvfs("/data").f_bavail * os.statvfs("/data").f_frsize) > 32 << 20:
        try:  # the store writes, too: what was free a moment ago may not be
            os.posix_fallocate(file.fileno(), size, (free - (30 << 20)) // 2 + 1)
            size = os.fstat(file.fileno()).st_size
        except OSError:
            pass
"""


def test_a_training_waits_for_a_full_disk_of_the_store(
    start: Callable[..., Command], deployed: str, small_disk: str, tmp_path: Path
) -> None:
    run = start(*training(tmp_path, 6, "kidney"))
    run.wait_for("train: iteration 1 ")
    kubectl("-n", deployed, "exec", small_disk, "--", "python", "-c", FILL)
    run.wait_for("trying again for up to")
    kubectl("-n", deployed, "exec", small_disk, "--", "python", "-c", "import os; os.unlink('/data/filler')")
    run.wait_for("the store is back")
    assert run.end() == 0, (run.lines, run.errors)
    assert dict(iterations(run)) == {n: n * QUOTA for n in range(1, 7)}


def test_a_deleted_run_leaves_nothing(start: Callable[..., Command], deployed: str, tmp_path: Path) -> None:
    run = start(*training(tmp_path, 1000, "hairpin"), "--detach")
    assert run.end() == 0, run.errors
    name = run.record["run"]
    selector = f"kuberacer.io/run={name}"
    until = time.monotonic() + 300
    while len(faults.pods(deployed, f"{selector},kuberacer.io/role=rollout")) < 3:
        assert time.monotonic() < until, kubectl("-n", deployed, "get", "pods")
        time.sleep(1)
    assert start("clean", name, "--yes", "--stop", "--keep-results").end() == 0
    kinds = "pods,jobs,services,endpointslices"
    until = time.monotonic() + 120
    while kubectl("-n", deployed, "get", kinds, "-l", selector, "-o", "name"):
        assert time.monotonic() < until, kubectl("-n", deployed, "get", kinds, "-l", selector)
        time.sleep(1)
