"""Rollout workers without simulator and policy: the worker's own loop, its pace, and recorded fragments' real bytes.

`python -m tests.bench.rollout_stubs` runs many of them as threads of one process, until its standard input ends.
"""

import argparse
import json
import os
import secrets
import struct
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kuberacer.coach.choose import Explore
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.rollout.announcement import Announcement
from kuberacer.rollout.broker import WorkerBroker
from kuberacer.rollout.fragment import Fragment, Tag, encode
from kuberacer.rollout.player import Player
from kuberacer.rollout.worker import Pace, RolloutWorker
from kuberacer.rollout.workers import RedisAddress
from kuberacer.sim.race_sim import RaceSim
from kuberacer.sim.track import Track

RATE = 15.0
SWAP_S = 0.3  # measured: fetching from the node's cache, reading and compiling a policy


def ring() -> Track:
    angle = np.linspace(0, 2 * np.pi, 120)
    unit = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return Track.from_route(np.hstack([3 * unit, 2.6 * unit, 3.4 * unit]), "ring")


def recorded(cars: int, time: int, warm: int = 5) -> Fragment:
    """A fragment of real driving at random, after some others."""

    class AtRandom:
        explore = Explore("categorical", 0.0, 5)

        def ask(self, frames: np.ndarray) -> tuple[np.ndarray, None]:
            return np.full((len(frames), 5), 0.2, np.float32), None

    player = Player(
        RaceSim(ring(), cars),
        lambda values: np.ones(cars),
        ModelMetadata.default("clipped_ppo"),
        1,
        np.random.default_rng(0),
    )
    for number in range(warm):
        fragment = player.play(AtRandom(), time, Tag("s", "w", number, 0))
    return fragment


def retagged(data: bytes, tag: Tag) -> bytes:
    """A fragment's bytes with another tag."""
    length = struct.unpack_from("<I", data, 8)[0]
    header = json.loads(data[12 : 12 + length])
    header["tag"] = [tag.session, tag.worker, tag.sequence, tag.policy]
    text = json.dumps(header).encode()
    rest = struct.pack("<I", len(text)) + text + data[12 + length :]
    return data[:4] + struct.pack("<I", zlib.crc32(rest)) + rest


class KilledError(Exception):
    """This stub was killed."""


@dataclass
class _Played:
    tag: Tag
    steps: int


class _Loader:
    """Takes as long as a real one to swap policies, while the one before is played."""

    def __init__(self) -> None:
        self._loaded: Announcement | None = None
        self._wanted: Announcement | None = None
        self._at = 0.0

    def want(self, announcement: Announcement) -> None:
        if announcement != self._wanted:
            self._wanted, self._at = announcement, time.monotonic() + SWAP_S

    def newest(self, wait_s: float = 0.0) -> Any:
        if self._loaded != self._wanted and wait_s:
            time.sleep(min(wait_s, max(0.0, self._at - time.monotonic())))
        if time.monotonic() >= self._at:
            self._loaded = self._wanted
        return None if self._loaded is None else (self._loaded, None)


class StubWorker(RolloutWorker):
    """rate: steps a second. start_s: what a real worker's start takes."""

    def __init__(self, broker: WorkerBroker, index: int, data: bytes, cars: int, rate: float, start_s: float):
        self.broker, self.index, self.pace, self.say = broker, index, Pace(), lambda line: None
        self.data, self.cars, self.rate, self.start_s = data, cars, rate, start_s
        self.loader, self.steps = _Loader(), 0  # type: ignore[assignment]
        self.killed = threading.Event()
        self._due = 0.0

    def run(self) -> None:
        self._wait(self.start_s)
        newest = self._wait_for_announcement()
        while not newest.stop:
            newest = self._play(self, newest)  # type: ignore[arg-type]

    def play(self, policy: Any, steps: int, tag: Tag) -> _Played:
        now = time.monotonic()
        # As a paced simulator: the time between two fragments is part of the next step's.
        self._due = max(self._due, now - 1 / self.rate) + steps / self.rate
        self._wait(self._due - now)
        return _Played(tag, steps * self.cars)

    def _bytes(self, fragment: Any) -> bytes:
        return retagged(self.data, fragment.tag)

    def _wait(self, seconds: float) -> None:
        if self.killed.wait(max(0.0, seconds)):
            raise KilledError


def places(address: RedisAddress, run: str, indices: list[int], data: bytes, options: argparse.Namespace) -> None:
    """Keep a stub for each index running; kill one of all workers every kill_s."""
    current: dict[int, StubWorker] = {}

    def live(index: int) -> None:
        slow = options.slow and index % 10 == 9
        while True:
            broker = WorkerBroker(address, run, f"stub-{index}-{secrets.token_hex(4)}")
            worker = StubWorker(broker, index, data, options.cars, RATE / (3 if slow else 1), options.start_s)
            current[index] = worker
            try:
                worker.run()
                return
            except KilledError:
                broker.close()

    for index in indices:
        threading.Thread(target=live, args=(index,), daemon=True).start()
        time.sleep(options.stagger_s)
    rng = np.random.default_rng(options.first)

    def kill_some() -> Iterator[None]:
        while True:
            time.sleep(options.kill_s)
            current[int(rng.choice(indices))].killed.set()
            yield

    if options.kill_s:
        threading.Thread(target=lambda: list(kill_some()), daemon=True).start()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    parser.add_argument("--run")
    parser.add_argument("--first", type=int)
    parser.add_argument("--count", type=int)
    parser.add_argument("--cars", type=int)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--slow", action="store_true")
    parser.add_argument("--kill-s", type=float, default=0.0)
    parser.add_argument("--start-s", type=float, default=0.0)
    parser.add_argument("--stagger-s", type=float, default=0.0)
    options = parser.parse_args()
    threading.stack_size(256 << 10)
    address = RedisAddress(options.host, options.port, os.environ["KUBERACER_REDIS_PASSWORD"])
    indices = list(range(options.first, options.first + options.count))
    places(address, options.run, indices, options.data.read_bytes(), options)
    sys.stdin.read()


def stub_data(folder: Path, cars: int, time: int) -> tuple[Path, Fragment]:
    """A recorded fragment in a file."""
    fragment = recorded(cars, time)
    path = folder / f"fragment-{cars}-{time}.bin"
    path.write_bytes(encode(replace(fragment, tag=Tag("s" * 16, "w" * 20, 0, 0))))
    return path, fragment


if __name__ == "__main__":
    main()
