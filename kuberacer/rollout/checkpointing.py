"""What a training keeps in the object store at every iteration, sent while the next one is played.

<run>/checkpoints: everything that resuming needs. <run>/model/model_N.pb: the frozen graph of every iteration.
<run>/model/deepracer_checkpoints.json: which is the best and which the last.
<run>/training-simtrace/N-iteration.csv: what the cars did.
"""

import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

from kuberacer.coach.agent import Agent
from kuberacer.formats.checkpoints_json import CheckpointEntry, Checkpoints
from kuberacer.rollout.records import Records
from kuberacer.rollout.trace import TraceRecorder
from kuberacer.rollout.trainer import Iteration, Progress
from kuberacer.store.checkpoints import CheckpointStore, Manifest
from kuberacer.store.client import ObjectStore

KEPT = 3  # whole checkpoints, beside the best: 140 MB each


class Checkpointing:
    """Saves and sends checkpoints. Use as a context manager: leaving it waits for what is under way."""

    def __init__(self, agent: Agent, records: Records, store: ObjectStore, run: str, work: Path):
        self.agent, self.records, self.store, self.run, self.work = agent, records, store, run, work
        self.checkpoints = CheckpointStore(store, run)
        self.graph = work / "model.pb"
        self._sender = ThreadPoolExecutor(1, "send-checkpoint")
        self._sending: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A run that is stopped still sends the checkpoint that it has already saved.
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

    def freeze(self) -> Path:
        """The frozen graph of the weights as they are now."""
        self.agent.export_frozen(self.graph)
        return self.graph

    def keep(self, turn: Iteration, progress: Progress, trace: TraceRecorder, track_length: float) -> None:
        """Save the iteration's checkpoint and send it in the background; raises what went wrong with the one before."""
        self.records.add(turn, progress)
        csv = self.records.write_trace(turn.iteration, trace, track_length)
        folder = self.work / f"checkpoint-{turn.iteration}"
        self.agent.save(folder)
        for file in self.records.files():
            shutil.copyfile(file, folder / file.name)
        graph = self.work / f"model_{turn.iteration}.pb"
        shutil.copyfile(self.graph, graph)
        self.wait()
        lap = asdict(turn.lap)
        self._sending = self._sender.submit(self._send, turn.iteration, folder, graph, csv, lap)

    def wait(self) -> None:
        """Until the last checkpoint is in the store."""
        if self._sending is not None:
            self._sending.result()

    def fetch_best(self, folder: Path) -> None:
        """The best checkpoint's files, without the training's records."""
        self.wait()
        manifest = self.checkpoints.find("best")
        assert manifest is not None, "a checkpoint was kept"
        self.checkpoints.load(manifest, folder)
        for file in self.records.files():
            (folder / file.name).unlink()

    def finish(self) -> None:
        """Keep only what a finished training needs of the store: the best checkpoint, and the last to go on from."""
        self.checkpoints.prune(1)

    def fetch_traces(self, folder: Path) -> None:
        """The sim traces of all iterations, of earlier starts of this run too."""
        prefix = f"{self.run}/training-simtrace/"
        for key in self.store.list(prefix):
            self.store.get_file(key, folder / key.removeprefix(prefix))

    def _send(self, iteration: int, folder: Path, graph: Path, csv: Path, lap: dict) -> None:
        self.store.put_file(f"{self.run}/model/{graph.name}", graph)
        self.store.put_file(f"{self.run}/training-simtrace/{csv.name}", csv)
        self.checkpoints.save(folder, iteration, lap)
        best, last = self.checkpoints.find("best"), self.checkpoints.find("last")
        assert best, "one was saved just now"
        assert last
        listed = Checkpoints(deepracer_entry(best), deepracer_entry(last))
        self.store.put_bytes(f"{self.run}/model/deepracer_checkpoints.json", listed.to_json().encode())
        self.checkpoints.prune(KEPT)
        shutil.rmtree(folder)
        graph.unlink()


def deepracer_entry(manifest: Manifest) -> CheckpointEntry:
    """A checkpoint as DeepRacer lists it, by the name of its TensorFlow files."""
    name = next(name for name in manifest.files if name.endswith(".ckpt.index")).removesuffix(".index")
    return CheckpointEntry(name, manifest.lap["progress"], manifest.saved_at)
