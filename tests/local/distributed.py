"""A training with rollout workers as processes, with a store that can be killed and started again."""

import contextlib
import csv
import json
import os
import secrets
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from kuberacer.store import server
from kuberacer.store.client import ObjectStore
from kuberacer.store.server import SeaweedServer
from tests.processes import Watched
from tests.unit.coach.presets import small_preset

ROOT = Path(__file__).parents[2]
RACE = ROOT / ".envs" / "race" / "bin" / "python"
CARS, QUOTA = 4, 256
RHYTHM = f"""
agent_params.algorithm.num_consecutive_playing_steps = EnvironmentSteps({QUOTA})
agent_params.algorithm.optimization_epochs = 1
"""
TRACK = """
import sys, numpy as np
angle = np.linspace(0, 2 * np.pi, 60)
unit = np.stack([np.cos(angle), np.sin(angle)], axis=1)
np.save(sys.argv[1], np.hstack([1.5 * unit, 1.1 * unit, 1.9 * unit]))
"""
REWARD = "def reward_function(params):\n    return 1.0 if params['all_wheels_on_track'] else 0.001\n"


class SameStore(SeaweedServer):
    """Comes back at the same place with the same credentials after it was killed."""

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def come_back(self, patch: pytest.MonkeyPatch) -> None:
        assert self.settings is not None
        assert self.settings.aws_access_key_id is not None
        assert self.settings.aws_secret_access_key is not None
        ports = dict(self._ports)
        key = self.settings.aws_access_key_id.get_secret_value()
        secret = self.settings.aws_secret_access_key.get_secret_value()
        for old in self.folder.glob("m[0-9]*"):  # as a new run does: the master finds its volumes anew
            for path in sorted(old.rglob("*"), reverse=True):
                path.unlink() if path.is_file() else path.rmdir()
            old.rmdir()
        with patch.context() as patched:
            patched.setattr(server, "free_ports", lambda: ports)
            patched.setattr(secrets, "token_hex", lambda n=32: key if n == 10 else "ab" * n)
            patched.setattr(secrets, "token_urlsafe", lambda n=32: secret)
            assert self._start(server.find_binary(), last=True)


@dataclass(kw_only=True)
class Training(Watched):
    """A running train stage."""

    folder: Path

    @classmethod
    def start(cls, folder: Path, store: SeaweedServer, workers: int, **options: Any) -> "Training":
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "track.npy").exists():
            subprocess.run([RACE, "-c", TRACK, str(folder / "track.npy")], check=True)
        (folder / "reward.py").write_text(options.pop("reward", REWARD))
        (folder / "environment.json").write_text("{}")
        given = {
            "reward-file": folder / "reward.py", "track-file": folder / "track.npy", "track-name": "ring",
            "environment": folder / "environment.json", "preset": small_preset("clipped_ppo", RHYTHM), "run": "r",
            "checkpoint": folder / "checkpoint", "training-metrics": folder / "metrics.json",
            "history": folder / "history.jsonl", "simtrace": folder / "simtrace", "summary": folder / "summary.json",
            "videos": folder / "videos",
            "minutes": 0, "rollout-workers": workers, "cars-per-worker": CARS, **options,
        }  # fmt: skip
        command = [str(RACE), "-u", "-m", "kuberacer.stages.train"]
        command += [part for name, value in given.items() for part in (f"--{name}", str(value))]
        environment = {**os.environ, **store.environment(), "KUBERACER_CACHE": str(folder / "cache")}
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        training = cls(folder=folder, process=process)
        Thread(target=training._read, daemon=True).start()
        return training

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(line.rstrip() for line in self.process.stdout)

    @property
    def history(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "history.jsonl").read_text().splitlines()]

    @property
    def summary(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "summary.json").read_text()))

    def steps_learned(self) -> Counter[tuple[int, int]]:
        """How often each (episode, step) was learned from, over all iterations."""
        found: Counter[tuple[int, int]] = Counter()
        for path in (self.folder / "simtrace").glob("*-iteration.csv"):
            with path.open() as file:
                found.update((int(row["episode"]), int(row["steps"])) for row in csv.DictReader(file))
        return found


def assert_exact(training: Training, iterations: int) -> None:
    """Every iteration has its quota, nothing was learned from twice, and a checkpoint is there."""
    rows = training.history
    assert [row["iteration"] for row in rows] == list(range(1, iterations + 1))
    assert [row["learning"]["accepted_steps"] for row in rows] == [QUOTA] * iterations
    assert [row["steps"] for row in rows] == [QUOTA * (n + 1) for n in range(iterations)]
    learned = training.steps_learned()
    assert sum(learned.values()) == iterations * QUOTA
    assert max(learned.values()) == 1
    assert any((training.folder / "checkpoint").glob("*.ckpt.index"))
    assert training.summary["best"]["iteration"] in range(1, iterations + 1)


@contextlib.contextmanager
def running_store(folder: Path) -> Iterator[SameStore]:
    with SameStore(folder) as store:
        yield store


def logs(store: SameStore) -> dict[str, str]:
    assert store.settings is not None
    client = ObjectStore(store.settings)
    return {key.rsplit("/", 1)[1]: client.get_bytes(key).decode() for key in client.list("r/logs/")}
