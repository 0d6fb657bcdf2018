"""What a training keeps in the object store at every iteration, sent while the next one is played.

<run>/checkpoints: everything that resuming needs. <run>/model/model_N.pb: the frozen graph of every iteration, or of
every k-th (KUBERACER_KEEP_GRAPHS).
<run>/model/deepracer_checkpoints.json: which is the best and which the last.
Beside them, what the caller writes at each iteration: <run>/training-simtrace/N-iteration.csv, N from 0, what the cars
did.
"""

import contextlib
import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, fields, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from kuberacer.coach.agent import Agent
from kuberacer.formats.checkpoints_json import CheckpointEntry, Checkpoints
from kuberacer.rollout.laps import Lap
from kuberacer.rollout.records import TrainingRecords
from kuberacer.rollout.trainer import Iteration, Progress
from kuberacer.store.checkpoints import CheckpointStore, Manifest
from kuberacer.store.client import ObjectStore
from kuberacer.store.graphs import kept_every, thin_graphs
from kuberacer.store.persevere import persevere

KEPT = 3  # whole checkpoints, beside the best: 140 MB each
KEPT_WAITING = 6  # of those whose laps are still being driven, at most
LEAVE_S = 18.0  # for what is on its way to the store when the training has to leave


class Checkpointing:
    """Saves and sends checkpoints. Use as a context manager: leaving it waits for what is under way."""

    def __init__(
        self,
        agent: Agent,
        records: TrainingRecords,
        store: ObjectStore,
        run: str,
        work: Path,
        about: Mapping[str, str],
    ):
        """about: texts of files that go with every checkpoint: what others need to go on from it."""
        self.about = about
        self.agent, self.records, self.store, self.run, self.work = agent, records, store, run, work
        self.checkpoints = CheckpointStore(store, run)
        self.graph = work / "model.pb"
        self.every = kept_every()
        self._sender = ThreadPoolExecutor(1, "send-checkpoint")
        self._sending: list[Future[None]] = []
        self._last_try: float | None = None  # when sending is given up, once the training is leaving

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A run that is stopped still sends the checkpoint that it has already saved.
        if error is not None:
            self._last_try = time.monotonic() + LEAVE_S
        self._sender.shutdown(wait=True)

    def restore_last(self) -> int | None:
        """Bring agent and records to the run's last checkpoint; its iteration, or None when there is none."""
        folder = self.work / "restored"
        manifest = self.checkpoints.load_last(folder)
        if manifest is None:
            return None
        self.agent.restore(folder)
        self.records.restore(folder)
        shutil.rmtree(folder)
        return manifest.iteration

    def bring_best(self, progress: Progress) -> None:
        """Laps may have been told after the last checkpoint was made: the store knows."""
        best = self.checkpoints.find("best")
        if best is not None and best.lap is not None:
            names = {field.name for field in fields(Lap)}
            with contextlib.suppress(TypeError):
                progress.best = Lap(**{"status": "", **{k: v for k, v in best.lap.items() if k in names}})
                progress.best_iteration = best.iteration

    def freeze(self, same: Path | None = None) -> Path:
        """The frozen graph of the weights as they are now. same: a file that already holds it."""
        if same is None:
            self.agent.export_frozen(self.graph)
        else:
            shutil.copyfile(same, self.graph)
        return self.graph

    def keep(self, turn: Iteration, progress: Progress, write: Callable[[], Mapping[str, Path]]) -> None:
        """Save the iteration's checkpoint and send it in the background; raises what went wrong with the one before.

        write: gives the files that go into the store beside it, by their keys below the run."""
        began = time.monotonic()
        beside = write()
        folder, graph = self._save(turn.iteration)
        saved = time.monotonic()
        self.wait()
        waited = time.monotonic() - saved
        # Last, so that the history says what all this took.
        self.records.add(replace(turn, save_seconds=saved - began, wait_seconds=waited), progress)
        for file in self.records.files():
            shutil.copyfile(file, folder / file.name)
        lap = asdict(turn.lap) if turn.lap else None
        self._submit(f"checkpoint {turn.iteration}", lambda: self._send(turn.iteration, folder, graph, beside, lap))

    def begin(self, progress: Progress, lap: Lap | None) -> None:
        """Keep the model that the training begins with as the run's first checkpoint."""
        self.records.begin(progress)
        iteration = self.agent.iteration
        folder, graph = self._save(iteration)
        for file in self.records.files():
            shutil.copyfile(file, folder / file.name)
        told = asdict(lap) if lap else None
        self._submit(f"checkpoint {iteration}", lambda: self._send(iteration, folder, graph, {}, told))
        self.wait()

    def _save(self, iteration: int) -> tuple[Path, Path]:
        """(folder of the checkpoint without the records, its frozen graph)"""
        folder = self.work / f"checkpoint-{iteration}"
        self.agent.save(folder)
        for name, text in self.about.items():
            (folder / name).write_text(text, encoding="utf-8")
        graph = self.work / f"model_{iteration}.pb"
        shutil.copyfile(self.graph, graph)
        return folder, graph

    def set_lap(self, iteration: int, lap: Lap) -> None:
        """Write down, in the background, what a lap that was driven elsewhere has come to."""
        self._submit(f"lap {iteration}", lambda: self._set_lap(iteration, asdict(lap)))

    def wait(self) -> None:
        """Until the last checkpoint is in the store."""
        sending, self._sending = self._sending, []
        for each in sending:
            each.result()

    def fetch_best(self, folder: Path) -> None:
        """The best checkpoint's files, without the training's records."""
        self.wait()
        manifest = self.checkpoints.find("best") or self.checkpoints.find("last")
        assert manifest is not None, "a checkpoint was kept"
        self.checkpoints.load(manifest, folder)
        for file in self.records.files():
            (folder / file.name).unlink()

    def finish(self) -> None:
        """Keep only what a finished training needs of the store: the best checkpoint, and the last to go on from."""
        thin_graphs(self.store, self.run, self.checkpoints.prune(1), self.every)

    def fetch_beside(self, below: str, folder: Path) -> None:
        """What was kept below a key beside the checkpoints of all iterations, of earlier starts of this run too."""
        prefix = f"{self.run}/{below}/"
        for key in self.store.list(prefix):
            self.store.get_file(key, folder / key.removeprefix(prefix))

    def _submit(self, what: str, action: Callable[[], None]) -> None:
        def say(line: str) -> None:
            print(f"progress: {line}", flush=True)

        def going() -> bool:
            return self._last_try is None or time.monotonic() < self._last_try

        self._sending.append(self._sender.submit(persevere, what, action, say, going=going))

    def _send(self, iteration: int, folder: Path, graph: Path, beside: Mapping[str, Path], lap: dict | None) -> None:
        self.store.put_file(f"{self.run}/model/{graph.name}", graph)
        for key, file in beside.items():
            self.store.put_file(f"{self.run}/{key}", file)
        self.checkpoints.save(folder, iteration, lap)
        self._list_checkpoints()
        thin_graphs(self.store, self.run, self.checkpoints.prune(KEPT, KEPT_WAITING), self.every)
        shutil.rmtree(folder)
        graph.unlink()

    def _set_lap(self, iteration: int, lap: dict) -> None:
        if self.checkpoints.set_lap(iteration, lap):
            self._list_checkpoints()

    def _list_checkpoints(self) -> None:
        last = self.checkpoints.find("last")
        assert last, "one was saved just now"
        best = self.checkpoints.find("best") or last
        listed = Checkpoints(deepracer_entry(best), deepracer_entry(last))
        self.store.put_bytes(f"{self.run}/model/deepracer_checkpoints.json", listed.to_json().encode())


def deepracer_entry(manifest: Manifest) -> CheckpointEntry:
    """A checkpoint as DeepRacer lists it, by the name of its TensorFlow files."""
    name = next(name for name in manifest.files if name.endswith(".ckpt.index")).removesuffix(".index")
    return CheckpointEntry(name, manifest.lap["progress"] if manifest.lap else 0.0, manifest.saved_at)
