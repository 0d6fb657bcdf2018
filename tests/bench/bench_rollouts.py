"""Rollout efficiency and what it costs: `python -m tests.bench.bench_rollouts` prints name -> number (JSON).

Workers paced at 15 steps a second and car, one car each as an external simulator has: stubs with recorded fragments,
over the real Redis, into the real intake. Learning is stood in for by a pause of LEARN_SHARE of the time that the
iteration's rollouts take, so that what is measured is whether rollouts go on while the trainer is busy, and not how
fast this machine learns. Efficiency: accepted steps a second over workers × cars × 15.
"""

import argparse
import contextlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from kuberacer.coach.choose import Explore
from kuberacer.rollout.announcement import Announcement
from kuberacer.rollout.assemble import segments
from kuberacer.rollout.broker import TrainerBroker
from kuberacer.rollout.distributed import fragment_time
from kuberacer.rollout.fragment import Fragment, Tag, decode, encode
from kuberacer.rollout.gather import Gatherer
from kuberacer.rollout.intake import Intake, Verdict
from kuberacer.rollout.redis_server import RedisServer
from tests.bench.rollout_stubs import RATE, recorded, stub_data

LEARN_SHARE = 0.5
ITERATION_S = 2048 / (64 * RATE)  # what rollouts take for the default 2,048 steps with 64 workers
START_S = 3.0  # of a killed worker's successor: process, simulator, reward, first policy
STUBS_A_PROCESS = 250
GRACE = 2  # iterations that are not counted


class NoWorkers:
    """The stubs are nobody's children."""

    def launch(self, count: int) -> None: ...
    def scale(self, count: int) -> None: ...
    def close(self) -> None: ...

    def alive(self) -> int:
        return 0

    def why_missing(self) -> str:
        return ""


@contextlib.contextmanager
def stubs(server: RedisServer, run: str, count: int, data: Path, *more: str) -> Iterator[None]:
    running: list[subprocess.Popen[bytes]] = []
    environment = {**os.environ, **server.address.environment()}
    each = max(1, min(STUBS_A_PROCESS, count))
    try:
        for first in range(0, count, each):
            command = [sys.executable, "-m", "tests.bench.rollout_stubs", "--host", server.address.host]
            command += ["--port", str(server.address.port), "--run", run, "--first", str(first)]
            command += ["--count", str(min(each, count - first)), "--cars", "1", "--data", str(data), *more]
            running.append(subprocess.Popen(command, stdin=subprocess.PIPE, env=environment))
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def efficiency(
    workers: int,
    seconds: float,
    name: str,
    *,
    steps: int = 0,
    iteration_s: float = ITERATION_S,
    disturbed: bool = False,
) -> dict[str, float]:
    """steps: of a fragment, 0: as the trainer chooses. iteration_s: what the rollouts of an iteration take."""
    steps = steps or fragment_time(round(workers * RATE * iteration_s), 1, workers)
    quota = steps * max(1, round(workers * RATE * iteration_s / steps))
    run = f"bench-{secrets.token_hex(4)}"
    more = ["--slow", "--kill-s", "10", "--start-s", str(START_S)] if disturbed else []
    with tempfile.TemporaryDirectory() as folder, RedisServer() as server:
        data, _ = stub_data(Path(folder), 1, steps)
        broker = TrainerBroker(server.address, run, say=print)
        intake: Intake[Fragment] = Intake(secrets.token_hex(8), steps, 1)
        gatherer = Gatherer(broker, intake, NoWorkers(), lambda line: print(line, file=sys.stderr))
        announcement = Announcement(
            intake.session, 0, "0" * 64, ("in",), ("out",), Explore("categorical", 0.0, 5), "1" * 64, 1, steps,
            quota // steps,
        )  # fmt: skip
        broker.announce(announcement)
        with contextlib.closing(gatherer), stubs(server, run, workers, data, *more):
            found = iterate(broker, gatherer, announcement, quota, seconds, LEARN_SHARE * iteration_s)
        counts = intake.counts
        memory: Any = broker.redis.info("memory")
        redis_peak = float(memory["used_memory_peak"])
    found["efficiency"] = found["accepted_per_s"] / (workers * RATE)
    found["stale_share"] = counts[Verdict.STALE] / max(1, sum(counts.values()))
    found["redis_peak_mb"] = redis_peak / 1e6
    found["duplicates"] = counts[Verdict.DUPLICATE]
    return {f"rollouts_{name}_{key}": value for key, value in found.items()}


def iterate(
    broker: TrainerBroker, gatherer: Gatherer, announcement: Announcement, quota: int, seconds: float, learn_s: float
) -> dict[str, float]:
    """Iterations until the time is over; every one has exactly its quota."""
    version, began, ended, accepted, exact, busy = 0, 0.0, 1.0, 0, True, 0.0
    until = time.monotonic() + 600
    commands = gathering = 0.0
    while time.monotonic() < until:
        clock = time.thread_time()
        fragments = gatherer.gather(quota, version)
        gathering += time.thread_time() - clock
        exact &= sum(fragment.steps for fragment in fragments) == quota
        if version == GRACE:
            began, accepted, until = time.monotonic(), 0, time.monotonic() + seconds
            commands, read, took = command_count(broker), gatherer.bytes_read, gatherer.decode_seconds
            gathering = 0.0
        elif version > GRACE:
            accepted, ended = accepted + quota, time.monotonic()
        clock = time.thread_time()
        if len(fragments) < 500:  # a thousand workers' frames would fill this machine's memory twice
            segments(fragments)
        busy += time.thread_time() - clock
        version += 1
        time.sleep(learn_s)
        announcement = replace(announcement, version=version)
        broker.announce(announcement)
    counted = max(1, version - GRACE - 1)
    fragments_counted = counted * quota / gatherer.intake.fragment_steps
    return {
        "accepted_per_s": accepted / (ended - began),
        "exact": float(exact),
        "iterations": float(counted),
        "quota": float(quota),
        "redis_commands_a_fragment": (command_count(broker) - commands) / fragments_counted,
        "bytes_a_fragment": (gatherer.bytes_read - read) / fragments_counted,
        "decode_ms_a_fragment": 1000 * (gatherer.decode_seconds - took) / fragments_counted,
        "read_and_account_cpu_ms_a_fragment": 1000 * gathering / fragments_counted,
        "trainer_ms_an_iteration": 1000 * busy / max(1, version),
    }


def command_count(broker: TrainerBroker) -> float:
    stats: Any = broker.redis.info("commandstats")
    return float(sum(entry["calls"] for name, entry in stats.items() if name != "cmdstat_info"))


def costs() -> dict[str, float]:
    """Of the default size: 16 cars a worker, 2,048 steps an iteration, two workers."""
    steps = fragment_time(2048, 16, 2)
    fragment = recorded(16, steps)
    found = {"rollouts_fragment_steps": float(fragment.steps)}
    clock = time.perf_counter()
    for _ in range(10):
        data = encode(fragment)
    found["rollouts_encode_ms"] = 100 * (time.perf_counter() - clock)
    clock = time.perf_counter()
    for _ in range(10):
        decode(data)
    found["rollouts_decode_ms"] = 100 * (time.perf_counter() - clock)
    found["rollouts_bytes_a_fragment"] = float(len(data))
    found["rollouts_bytes_a_step"] = len(data) / fragment.steps
    pieces = []
    for number in range(2048 // fragment.steps):
        pieces.append(decode(data).tagged(Tag("s", f"w{number % 2}", number // 2, 0)))
    clock = time.perf_counter()
    segments(pieces)
    found["rollouts_assemble_ms_an_iteration"] = 1000 * (time.perf_counter() - clock)
    return found


def figures(workers: tuple[int, ...] = (1, 4, 16, 64), seconds: float = 20.0, many: int = 0) -> dict[str, float]:
    found = costs()
    for count in workers:
        found |= efficiency(count, seconds, f"{count}")
    if workers:
        found |= efficiency(64, 2 * seconds, "64_disturbed", disturbed=True)
    if many:
        found |= efficiency(many, 5 * seconds, f"{many}", steps=16, iteration_s=3.0)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.bench_rollouts", description=__doc__)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 4, 16, 64])
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement (%(default)s)")
    parser.add_argument("--many", type=int, default=0, help="so many stubs at the end, such as 1000")
    options = parser.parse_args()
    print(json.dumps(figures(tuple(options.workers), options.seconds, options.many), indent=1))


if __name__ == "__main__":
    main()
