"""`make bench-serving`: the model server's latency, its throughput, and what a kill under load costs, into
out/bench-serving.json.

The server (the supervisor and its processes, as `make deploy-endpoint` starts them) has one processor, the load another
one; both talk over the loopback. Requests come at fixed times, whatever the answers do, and a latency counts from the
time when its request was due. The policies have the networks that the presets and DeepRacer have, with random weights.
"""

import argparse
import asyncio
import base64
import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.bench import serving_networks

CONNECTIONS = 16
WARM_S = 2.0
PATIENCE_S = 120.0
NAME = "bench"


@dataclass
class Served:
    """An endpoint that runs: the supervisor's process."""

    process: subprocess.Popen
    port: int
    body: bytes

    def processes(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in children]

    def seconds(self) -> float:
        """Of processor time that all of its processes have used."""
        ticks = [Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[11:13] for pid in self.processes()]
        return sum(int(tick) for pair in ticks for tick in pair) / os.sysconf("SC_CLK_TCK")

    def batches(self) -> tuple[float, float]:
        """(observations, batches) of the network so far."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics") as answer:
            told = dict(line.split(" ") for line in answer.read().decode().splitlines() if not line.startswith("#"))
        return float(told["kuberacer_batch_size_sum"]), float(told["kuberacer_batch_size_count"])


@dataclass
class Load:
    """What came of the requests. latencies: seconds of those that were answered; lost: those that were not, by their
    number; in_flight: those that were under way when a process was killed."""

    latencies: list[float] = field(default_factory=list)
    lost: set[int] = field(default_factory=set)
    in_flight: set[int] = field(default_factory=set)

    def percentile(self, percent: float) -> float:
        return float(np.percentile(self.latencies, percent) * 1e3)


def main() -> None:
    options = arguments()
    figures: dict[str, float] = {}
    for name, folder_of in (("small", serving_networks.mountain_car), ("race", serving_networks.race)):
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / NAME
            folder_of(folder / "model")
            measured = measure(folder, body_of(name), options.requests_per_s, options.seconds)
            figures |= {f"serve_{name}_{key}": value for key, value in measured.items()}
    figures["load_of_the_machine"] = os.getloadavg()[0]
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")
    for key, value in sorted(figures.items()):
        print(f"{key:<44} {value:,.2f}")


def body_of(name: str) -> bytes:
    if name == "small":
        return b'{"instances": [[0.5, -0.5]]}'
    picture = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (120, 160), np.uint8)).save(picture, "PNG")
    return json.dumps({"instances": [{"image": base64.b64encode(picture.getvalue()).decode()}]}).encode()


def measure(folder: Path, body: bytes, rate: float, seconds: float) -> dict[str, float]:
    """Latency at `rate` requests a second, throughput of a closed loop, and what a kill loses."""
    with endpoint(folder, body) as served:
        asyncio.run(paced(served, rate, WARM_S))
        idle = served.seconds()
        calm = asyncio.run(paced(served, rate, seconds))
        used = served.seconds() - idle
        before = served.batches()
        began = time.perf_counter()
        full = asyncio.run(closed(served, min(seconds, 5.0)))
        took = time.perf_counter() - began
        observations, batches = (new - old for new, old in zip(served.batches(), before, strict=True))
        hit = asyncio.run(paced(served, rate, min(seconds, 8.0), kill=True))
    return {
        "p50_ms": calm.percentile(50),
        "p99_ms": calm.percentile(99),
        "requests": len(calm.latencies),
        "lost": len(calm.lost),
        "processor_ms_a_request": used / max(1, len(calm.latencies)) * 1e3,
        "closed_loop_requests_per_s": len(full.latencies) / took,
        "closed_loop_batch": observations / max(1.0, batches),
        "kill_in_flight": len(hit.in_flight),
        "kill_lost_in_flight": len(hit.lost & hit.in_flight),
        "kill_lost_others": len(hit.lost - hit.in_flight),
        "kill_p99_ms": hit.percentile(99),
    }


@contextlib.contextmanager
def endpoint(folder: Path, body: bytes) -> Iterator[Served]:
    """On the first processor that we may have; this process goes to the last one."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[:1])
    command = [sys.executable, "-m", "kuberacer.serve", "--folder", str(folder), "--name", NAME, "--port", "0"]
    with (folder.parent / "server.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    os.sched_setaffinity(0, cores[-1:])
    try:
        yield Served(process, ready(folder, process), body)
    finally:
        os.sched_setaffinity(0, cores)
        process.terminate()
        process.wait()


def ready(folder: Path, process: subprocess.Popen) -> int:
    """The port, as soon as both of its processes answer."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError, ValueError):
            port = json.loads((folder / "endpoint.json").read_text())["port"]
            log = (folder.parent / "server.log").read_text()
            if log.count("warm after") >= 2:
                return port
        time.sleep(0.1)
    raise SystemExit(f"the server was not ready: {(folder.parent / 'server.log').read_text()}")


async def paced(served: Served, rate: float, seconds: float, kill: bool = False) -> Load:
    """Requests at fixed times. kill: one of the processes, in the middle."""
    load, free = Load(), asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(Connection(served))
    count, began = int(rate * seconds), time.perf_counter()
    busy: set[int] = set()

    async def one(number: int, due: float) -> None:
        connection = await free.get()
        busy.add(number)
        try:
            await connection.ask()
            load.latencies.append(time.perf_counter() - due)
        except (OSError, asyncio.IncompleteReadError, ValueError):
            load.lost.add(number)
        finally:
            busy.remove(number)
            free.put_nowait(connection)

    tasks = []
    for number in range(count):
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(number, due)))
        if kill and number == count // 2:
            await asyncio.sleep(0)  # this request is on its way
            killed(served.processes()[0])
            load.in_flight = set(busy)
    await asyncio.gather(*tasks)
    while not free.empty():
        free.get_nowait().close()
    return load


def killed(pid: int) -> None:
    """Returns when the process is no more."""
    os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(OSError):
        while Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z":
            time.sleep(0.001)


async def closed(served: Served, seconds: float) -> Load:
    """As many as are answered, over all connections at once."""
    load, until = Load(), time.perf_counter() + seconds

    async def one() -> None:
        connection = Connection(served)
        while (began := time.perf_counter()) < until:
            await connection.ask()
            load.latencies.append(time.perf_counter() - began)
        connection.close()

    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
    return load


class Connection:
    """HTTP/1.1, kept alive; made anew when the other side has closed it."""

    def __init__(self, served: Served):
        self._served = served
        self._writer: asyncio.StreamWriter | None = None
        head = (
            f"POST /v1/models/{NAME}:predict HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
            f"content-length: {len(served.body)}\r\n\r\n"
        )
        self._request = head.encode() + served.body

    async def ask(self) -> Any:
        """Raises OSError, IncompleteReadError or ValueError when it is not answered."""
        await asyncio.sleep(0)  # an end that has come is seen
        if self._writer is None or self._reader.at_eof():
            self.close()
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._served.port)
        try:
            self._writer.write(self._request)
            head = await self._reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise ValueError(head.decode())
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            return json.loads(await self._reader.readexactly(length))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.serving", description=__doc__)
    parser.add_argument("--requests-per-s", type=float, default=100.0)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each model's latency measurement")
    parser.add_argument("--output", type=Path, default=Path("out/bench-serving.json"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
