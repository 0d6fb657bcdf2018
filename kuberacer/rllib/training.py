"""The training loop: an iteration of RLlib, its records, its checkpoint in the object store, and a line about it."""

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kuberacer.rllib.algorithm import Algorithm, Turn
from kuberacer.rllib.records import Progress, Records
from kuberacer.rllib.state import read_state, write_state
from kuberacer.store.checkpoints import CheckpointStore
from kuberacer.store.persevere import persevere

KEPT = 3  # checkpoints, beside the best


@dataclass(frozen=True)
class Budget:
    """When a training ends: after so many minutes or environment steps, whichever comes first (0: no such limit)."""

    minutes: float
    steps: int

    def used(self, progress: Progress) -> float:
        """The used share; training ends at 1."""
        seconds = progress.seconds / (60 * self.minutes) if self.minutes else 0.0
        return max(seconds, progress.steps / self.steps if self.steps else 0.0)


@dataclass
class Training:
    """about: texts of files that go with every checkpoint. work: a folder for what is on its way."""

    algorithm: Algorithm
    records: Records
    checkpoints: CheckpointStore
    budget: Budget
    about: Mapping[str, str]
    work: Path
    say: Callable[[str], None]

    def resume(self) -> Progress:
        """Where the run's last checkpoint stands, with the algorithm brought there; a fresh one without any."""
        folder = self.work / "restored"
        if self.checkpoints.load_last(folder) is None:
            return Progress()
        self.algorithm.restore(read_state(folder))
        self.records.restore(folder)
        shutil.rmtree(folder)
        progress = self.records.progress()
        self.say(f"goes on after iteration {progress.iteration} ({progress.seconds:.0f} s of training so far)")
        return progress

    def run(self, progress: Progress) -> Progress:
        while self.budget.used(progress) < 1 or progress.best_iteration is None:
            began = time.monotonic()
            turn = self.algorithm.train()
            for fault in self.algorithm.new_faults:
                self.say(f"the environment of process {fault.worker} failed and was started anew: {fault.cause}")
            progress.iteration += 1
            progress.steps += turn.steps
            progress.episodes += len(turn.episodes)
            progress.seconds += time.monotonic() - began
            mean = turn.mean if turn.mean is not None else float("-inf")
            if progress.best is None or mean >= progress.best:
                progress.best, progress.best_iteration = turn.mean, progress.iteration
            began = time.monotonic()
            self.records.add(turn, progress)
            self._keep(turn, progress)
            progress.seconds += time.monotonic() - began
            self.say(progress_line(turn, progress, self.budget))
        return progress

    def fetch_best(self, folder: Path) -> None:
        """The best checkpoint's files, without the training's records; the store keeps it and the last."""
        manifest = self.checkpoints.find("best") or self.checkpoints.find("last")
        assert manifest is not None, "a checkpoint was kept"
        self.checkpoints.load(manifest, folder)
        for name in self.records.names:
            (folder / name).unlink()
        self.checkpoints.prune(1)

    def _keep(self, turn: Turn, progress: Progress) -> None:
        folder = self.work / "checkpoint"
        shutil.rmtree(folder, ignore_errors=True)
        write_state(folder, self.algorithm.state())
        for name, text in self.about.items():
            (folder / name).write_text(text, encoding="utf-8")
        self.records.copy(folder)
        lap = None
        if turn.mean is not None:  # what ranks checkpoints
            lap = {"laps": 0, "completed": False, "seconds": 0.0, "progress": 0.0, "reward": turn.mean}
        persevere(
            f"checkpoint {progress.iteration}",
            lambda: self.checkpoints.save(folder, progress.iteration, lap),
            self.say,
        )
        persevere("old checkpoints", lambda: self.checkpoints.prune(KEPT), self.say)


def progress_line(turn: Turn, progress: Progress, budget: Budget) -> str:
    """One line an iteration: episodes, return, best, steps/s, time left."""
    used = budget.used(progress)
    left = progress.seconds * (1 - used) / used if used else 0.0
    parts = [f"iteration {progress.iteration}", f"{progress.episodes} episodes", f"{progress.steps:,} steps"]
    if turn.mean is not None:
        parts.append(f"return {turn.mean:.2f}")
    if progress.best is not None:
        parts.append(f"best {progress.best:.2f}")
    parts += [f"{progress.steps / progress.seconds:.0f} steps/s", f"{max(0.0, left):.0f} s left"]
    return " · ".join(parts)
