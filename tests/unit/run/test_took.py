"""The accounting: what stages took adds up to what the run took, whatever the attempts were."""

import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuberacer.run.progress import Progress
from kuberacer.run.record import RecordFile, RunRecord, Stage, earlier_stages
from kuberacer.run.remote.pods import time_of
from kuberacer.took import PodTime, Took, line, summed
from kuberacer.usage import PREFIX, Held, Usage, covered, processor_seconds

moments = st.floats(0, 1e6)
amounts = st.floats(0, 1e6)
names = st.text("abcdef", min_size=1, max_size=6)
kinds = st.dictionaries(st.sampled_from(["A", "B"]), amounts, max_size=2)
helds = st.builds(Held, st.integers(0, 99), amounts, amounts, kinds)
usages = st.builds(
    Usage, st.sampled_from(["train", "publish"]), names, moments, moments, amounts, st.integers(0, 1 << 40),
    st.integers(0, 512), st.lists(st.sampled_from(["A", "B"]), max_size=3).map(tuple), helds,
)  # fmt: skip
pods = st.builds(PodTime, names, moments, moments, amounts, amounts, st.integers(0, 8), st.just("nvidia.com/gpu"))
stages = st.lists(st.builds(Took.of, st.lists(usages, max_size=4), st.lists(pods, max_size=4)), max_size=5)


def parts(took: Took) -> list[float]:
    held = took.held
    gpus = [*took.gpu_s.values(), *held.gpu_s.values()]
    return [took.wall_s, took.cpu_s, took.peak_bytes, held.pods, held.core_s, held.byte_s, *gpus]


@given(stages)
def test_the_stages_sum_up_to_the_run(of: list[Took]) -> None:
    run = summed(of)
    assert math.isclose(run.cpu_s, sum(each.cpu_s for each in of), abs_tol=1e-6)
    assert math.isclose(run.held.core_s, sum(each.held.core_s for each in of), rel_tol=1e-9, abs_tol=1e-6)
    assert run.held.pods == sum(each.held.pods for each in of)
    for kind in ("A", "B", "nvidia.com/gpu"):
        assert math.isclose(run.gpu_s.get(kind, 0), sum(each.gpu_s.get(kind, 0) for each in of), abs_tol=1e-6)
    assert run.peak_bytes == max((each.peak_bytes for each in of), default=0)
    assert max((each.wall_s for each in of), default=0) <= run.wall_s + 1e-6
    assert run.wall_s <= sum(each.wall_s for each in of) + 1e-6
    assert all(part >= 0 for part in parts(run))


@given(stages)
def test_the_order_of_stages_does_not_matter(of: list[Took]) -> None:
    there, back = summed(of), summed(reversed(of))
    assert there.wall_s == pytest.approx(back.wall_s)
    assert there.cpu_s == pytest.approx(back.cpu_s)
    assert there.held.gpu_s == pytest.approx(back.held.gpu_s)


@given(st.lists(usages, max_size=5), st.lists(pods, max_size=5))
def test_what_is_told_twice_counts_once(attempts: list[Usage], of: list[PodTime]) -> None:
    once, twice = Took.of(attempts, of), Took.of([*attempts, *attempts], [*of, *of])
    assert parts(once) == parts(twice)


@given(st.lists(st.tuples(moments, moments), max_size=8))
def test_overlapping_attempts_cover_no_more_than_there_was_time(spans: list[tuple[float, float]]) -> None:
    spans = [(min(span), max(span)) for span in spans]
    seconds = covered(spans)
    assert 0 <= seconds <= sum(ended - began for began, ended in spans) + 1e-6
    if spans:
        assert max(e - b for b, e in spans) - 1e-6 <= seconds
        assert seconds <= max(e for _, e in spans) - min(b for b, _ in spans) + 1e-6


def test_covered_by_hand() -> None:
    assert covered([(0, 10), (5, 12), (20, 21), (6, 7)]) == 13
    assert covered([(10, 0)]) == 0  # a clock that was set back


@given(usages)
def test_a_usage_is_read_back(usage: Usage) -> None:
    assert Usage.parse(usage.to_json()) == usage


@given(st.text() | st.recursive(st.none() | st.floats() | st.text(), st.lists).map(json.dumps))
def test_what_is_no_usage_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        Usage.parse(text)


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), True, "3", None, 10**400])
def test_amounts_that_are_none_are_refused(value: object) -> None:
    found = json.loads(Usage("train", "x", 0, 1, 1).to_json())
    with pytest.raises(ValueError, match=r"amount|usage"):
        Usage.parse(json.dumps({**found, "cpu_s": value}))


def test_a_gpu_of_a_pod_has_the_model_that_its_process_saw() -> None:
    usage = Usage("train", "x", 0, 100, 50, gpus=("NVIDIA H200",))
    took = Took.of([usage], [PodTime("p", 0, 120, 0.5, 3 << 30, 1, "nvidia.com/gpu")])
    assert took.held.gpu_s == {"NVIDIA H200": 120}
    assert took.gpu_s == {"NVIDIA H200": 100}


def test_a_run_that_is_resumed_keeps_what_it_took_before(tmp_path: Path) -> None:
    """Lines of a step arrive as they do from a real one; the second command tells of the first one's attempt again."""
    first, second = Usage("train", "one", 100, 160, 90, 5), Usage("train", "two", 200, 230, 40, 7)
    file = RecordFile(tmp_path, RunRecord("r", "kidney", "sac", 3, stages=[Stage("train")]))
    with Progress(file, lambda *of: None, open(os.devnull, "w")) as progress:
        progress.started("train")
        progress.printed("train", PREFIX + first.to_json())
        progress.printed("train", PREFIX + "{}")  # other people's code printed this
        progress.held("train", [PodTime("pod", 90, 165, 0.5, 1 << 30)])
    file.write()

    record = RunRecord("r", "kidney", "sac", 3, stages=[Stage("train")], earlier=earlier_stages(tmp_path))
    file = RecordFile(tmp_path, record)
    with Progress(file, lambda *of: None, open(os.devnull, "w")) as progress:
        progress.started("train")
        for attempt in (first, second):
            progress.printed("train", PREFIX + attempt.to_json())
        progress.ended("train", {}, False)
    written = json.loads((tmp_path / "run.json").read_text())["took"]
    assert written["core_hours_used"] == round(130 / 3600, 5)
    assert written["wall_s"] == 75 + 30
    assert (written["pods"], written["core_hours_held"]) == (1, round(37.5 / 3600, 5))
    assert [len(stage.attempts) for stage in record.all_stages()] == [2]
    assert "0.036 core-hours used" in line(record.took())


def test_a_record_of_an_older_version_has_taken_nothing_that_is_known(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"parameters": {}, "stages": [{"name": "train", "wall_s": 3.0}]}))
    assert earlier_stages(tmp_path) == []


def pod(**status: object) -> dict[str, object]:
    main = {"name": "main", "resources": {"requests": {"cpu": "500m", "memory": "3Gi"}, "limits": {"memory": "12Gi"}}}
    helper = {"name": "wait", "resources": {"limits": {"cpu": "100m", "nvidia.com/gpu": "2"}}}
    init = {"name": "init", "resources": {"requests": {"cpu": "2", "memory": "64Mi"}}}
    spec = {"containers": [main, helper], "initContainers": [init]}
    return {"metadata": {"uid": "u"}, "spec": spec, "status": status}


def test_a_pod_holds_what_its_containers_ask_for_until_the_last_of_them_ends() -> None:
    ends = ("2026-01-01T00:01:00Z", "2026-01-01T00:01:30Z")
    containers = [{"name": "main", "state": {"terminated": {"finishedAt": end}}} for end in ends]
    began = "2026-01-01T00:00:00Z"
    found = time_of(pod(startTime=began, phase="Succeeded", containerStatuses=containers), 9e9)
    assert found is not None
    assert (found.ended - found.began, found.cores, found.memory_bytes) == (90, 2.0, 3 << 30)
    assert (found.gpus, found.gpu) == (2, "nvidia.com/gpu")
    going = time_of(pod(startTime=began, phase="Running", containerStatuses=containers), found.began + 7)
    assert going is not None
    assert going.ended - going.began == 7
    assert time_of(pod(phase="Pending"), 9e9) is None


def test_a_stage_tells_what_it_and_its_children_took(tmp_path: Path) -> None:
    """A process that burns processor time itself, in a child that has ended, and in one that has not."""
    program = """
import subprocess, sys, time
from kuberacer.errors import run_main
from kuberacer.usage import METER
burn = "import time\\nwhile time.process_time() < 0.3: pass\\n"
def main():
    from pathlib import Path
    METER.place = Path(sys.argv[1]) / "below" / "usage.json"
    subprocess.run([sys.executable, "-c", burn + "x = bytearray(200 << 20)"], check=True)
    left = subprocess.Popen([sys.executable, "-c", burn + "print(flush=True)\\ntime.sleep(60)"], stdout=subprocess.PIPE)
    left.stdout.readline()
    exec(burn)
    METER.tell()
    left.kill()
    left.wait()
main()
"""
    (tmp_path / "burn.py").write_text(program)
    ran = subprocess.run([sys.executable, tmp_path / "burn.py", tmp_path], capture_output=True, text=True, check=True)
    told = Usage.parse(ran.stdout.removeprefix(PREFIX))
    assert told == Usage.parse((tmp_path / "below" / "usage.json").read_text())
    assert told.stage == "burn"
    assert told.cpu_s >= 0.9
    assert told.peak_bytes > 200 << 20
    assert told.cores >= 1
    assert told.wall_s > 0.3
    assert told.ended <= time.time() + 1


def test_processor_seconds_never_go_back() -> None:
    before = processor_seconds()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    assert processor_seconds() > before
