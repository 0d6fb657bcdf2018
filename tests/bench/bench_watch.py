"""What watching costs a training: environment steps a second with nobody and with three who watch, in turns.

Each of the three is a server of its own (`.envs/watch`) with a page that listens; the training plays, learns and keeps
its history in a real object store (the program `weed` of `.envs/tools`). By the clock, and by what training, store,
servers and pages take of the processors together, which other work on the machine disturbs less.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from kuberacer.coach.build import build_agent
from kuberacer.coach.hyperparameters import Hyperparameters
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.errors import UserError
from kuberacer.formats import live
from kuberacer.rollout.collector import Collector
from kuberacer.rollout.live import Live
from kuberacer.sim.race_sim import RaceSim
from kuberacer.sim.track import load_track
from kuberacer.store.checkpoints import CheckpointStore
from kuberacer.store.client import ObjectStore
from kuberacer.store.server import SeaweedServer
from kuberacer.usage import processor_seconds

RUN, CARS = "bench-watch", 32
WATCHERS = int(os.environ.get("BENCH_WATCH_WATCHERS", "3"))
SHARES = [f"watch_{of}_{WATCHERS}_watchers_vs_none" for of in ("training", "playing", "steps_per_processor_s")]
ROUNDS = int(os.environ.get("BENCH_WATCH_ROUNDS", "8"))
ENVS = Path(sys.prefix).parent
LISTEN = "import sys, urllib.request\nfor line in urllib.request.urlopen(sys.argv[1]): pass"


class Training:
    """Plays and learns an iteration at a time, as a training does."""

    def __init__(self, store: ObjectStore, shown: Live, folder: Path):
        self.shown, self.folder, self.checkpoints = shown, folder, CheckpointStore(store, RUN)
        self.metadata = ModelMetadata.parse(None)
        self.agent = build_agent(self.metadata, Hyperparameters.parse("", "clipped_ppo"), cars=CARS, seed=1)
        self.collector = Collector(
            RaceSim(load_track("kidney"), CARS), lambda values: np.ones(CARS), self.agent, self.metadata,
            self.agent.stack_size, live=shown,
        )  # fmt: skip
        self.rows: list[dict] = []

    def turn(self) -> tuple[float, float, float]:
        """(steps a second of playing and learning, of playing alone, steps a processor second) of one iteration."""
        before, clock, processors = self.agent.total_steps, time.perf_counter(), processor_seconds()
        self.collector.play()
        played = time.perf_counter() - clock
        self.agent.learn(self.collector.observations.current)
        took = time.perf_counter() - clock
        steps = self.agent.total_steps - before
        self.rows.append({"iteration": self.agent.iteration, "steps": self.agent.total_steps, "seconds": took})
        (self.folder / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in self.rows))
        self.checkpoints.save(self.folder, self.agent.iteration, None)
        self.shown.turned(self.agent.iteration, steps / took, 60.0)
        return steps / took, steps / played, steps / (processor_seconds() - processors)


def figures() -> dict[str, float]:
    os.environ["PATH"] += f"{os.pathsep}{ENVS / 'tools' / 'bin'}"
    if not (ENVS / "watch" / "bin" / "python").exists():
        raise UserError("there is no environment of the live view", "make .envs/watch/.ready")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "checkpoint").mkdir()
        server = stack.enter_context(SeaweedServer(folder / "store"))
        store = ObjectStore(server.settings)
        about = {"run": RUN, "algorithm": "clipped_ppo", "race_type": "TIME_TRIAL"}
        shown = stack.enter_context(Live(store, RUN, about, 60.0))
        pages = [stack.enter_context(watch_server(server.environment())) for _ in range(WATCHERS)]
        training = Training(store, shown, folder / "checkpoint")
        training.turn()
        alone, watched = [], []
        for number in range(ROUNDS):
            # Whichever comes first has the other's heat and caches behind it: they change places.
            for someone in (False, True) if number % 2 else (True, False):
                with listening(store, shown, pages if someone else []):
                    (watched if someone else alone).append(training.turn())
            share = watched[-1][0] / alone[-1][0]
            print(f"  round {number + 1} of {ROUNDS}: watched at {share:.3f} of the speed", flush=True)
        training.agent.close()
    shares = (statistics.median(of[n] / by[n] for of, by in zip(watched, alone, strict=True)) for n in range(3))
    return {
        **dict(zip(SHARES, shares, strict=True)),
        "watch_training_steps_per_s": statistics.median(rates[0] for rates in alone),
        f"watch_training_{WATCHERS}_watchers_steps_per_s": statistics.median(rates[0] for rates in watched),
    }


@contextmanager
def watch_server(environment: dict[str, str]):
    """The address of a run's events at a server of its own."""
    command = [str(ENVS / "watch" / "bin" / "python"), "-m", "kuberacer.watch", "--port", "0"]
    with subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        try:
            yield line.partition("live view: ")[2].strip().rstrip("/") + f"/api/runs/{RUN}/events"
        finally:
            process.kill()


@contextmanager
def listening(store: ObjectStore, shown: Live, pages: list[str]):
    """While these pages are open; waits until the training knows, and in the end until it knows that they left."""
    readers = [subprocess.Popen([sys.executable, "-S", "-c", LISTEN, page]) for page in pages]
    until(lambda: shown.watched == bool(pages))
    yield
    for reader in readers:
        reader.kill()
        reader.wait()
    time.sleep(live.RENEW_S if readers else 0.0)  # a server sees within a comment's time that a page left
    while readers and shown.watched:
        store.delete(live.watched_key(RUN))
        time.sleep(0.5)


def until(found) -> None:
    deadline = time.monotonic() + 120
    while not found():
        if time.monotonic() > deadline:
            raise UserError("the training does not hear of who watches", "see the servers' output above")
        time.sleep(0.1)
