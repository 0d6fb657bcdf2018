"""What a stage took: told by the stage's real process, kept in the model card and the report."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from kubernetes import client

from kuberacer.report.took import HEADER, table, took
from kuberacer.rollout.pods_held import PodsHeld
from kuberacer.usage import PREFIX, Held, Usage

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def plan(folder: Path, seeds: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kuberacer.stages.plan_sweep", "--seeds", seeds, "--settings", '{"default": {}}']
    command += ["--run", "monday", "--trials", str(folder / "trials.json"), "--usage", str(folder / "usage.json")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("seeds", "status"), [("[0]", 0), ("[]", 1)])
def test_a_stage_tells_what_it_took_however_it_ends(seeds: str, status: int, tmp_path: Path) -> None:
    ran = plan(tmp_path, seeds)
    assert ran.returncode == status, ran.stderr
    usage = Usage.parse(ran.stdout.splitlines()[-1].removeprefix(PREFIX))
    assert usage == Usage.parse((tmp_path / "usage.json").read_text())
    assert usage.stage == "plan_sweep"
    assert usage.cpu_s > 0
    assert usage.wall_s > 0
    assert usage.peak_bytes > 1 << 20


def test_card_and_report_say_what_the_stages_before_took(tmp_path: Path) -> None:
    held = Held(3, 900.0, 1.8e12, {"nvidia.com/gpu": 36.0})
    train = Usage("train", "a", 1000, 1120, 180, 2 << 30, 2, ("NVIDIA H200",), held)
    for name, usage in {"train": train, "freeze": Usage("freeze_graph", "b", 1120, 1130, 18)}.items():
        (tmp_path / name).write_text(usage.to_json())
    (tmp_path / "other").write_text("none")
    found = json.loads(json.dumps(took([tmp_path / "train", tmp_path / "freeze", tmp_path / "other"])))
    assert list(found["stages"]) == ["train", "freeze_graph", "publish"]
    assert found["stages"]["train"]["core_hours_used"] == 0.05
    total = sum(figures["core_hours_used"] for figures in found["stages"].values())
    assert found["total"]["core_hours_used"] == pytest.approx(total, abs=2e-5)
    _, header, rows = table(found)
    assert header == HEADER
    assert all(len(row) == len(header) for row in rows)
    assert rows[0][:4] == ["train", "120.0", "0.0500", "2.00 GiB"]
    assert rows[0][5] == "3, 0.250 core-hours asked for"
    assert rows[-1][0] == "all"


def pod(uid: str, minutes: float | None, phase: str = "Running", ended: float | None = None) -> client.V1Pod:
    resources = client.V1ResourceRequirements(requests={"cpu": "250m"}, limits={"memory": "512Mi"})
    container = client.V1Container(name="rollout", resources=resources)
    finished = None if ended is None else BEGAN + timedelta(minutes=ended)
    terminated = client.V1ContainerStateTerminated(exit_code=0, finished_at=finished)
    state = client.V1ContainerState(terminated=terminated if ended is not None else None)
    status = client.V1ContainerStatus(name="rollout", image="i", image_id="", ready=True, restart_count=0, state=state)
    return client.V1Pod(
        metadata=client.V1ObjectMeta(uid=uid),
        spec=client.V1PodSpec(containers=[container]),
        status=client.V1PodStatus(
            phase=phase,
            start_time=None if minutes is None else BEGAN + timedelta(minutes=minutes),
            container_statuses=[status],
        ),
    )


def test_worker_pods_count_from_their_start_until_they_are_seen_last() -> None:
    held, minute = PodsHeld(), BEGAN.timestamp() + 60
    held.look([pod("a", 0), pod("b", None, "Pending")], minute)
    assert held.total() == Held(1, 0.25 * 60, float(60 * (512 << 20)), {})
    held.look([pod("c", 1)], minute + 60)  # a is gone: what it had stays
    held.look([pod("c", 1, "Succeeded", 3)], minute + 999)
    assert held.total() == Held(2, 0.25 * (60 + 120), float(180 * (512 << 20)), {})
