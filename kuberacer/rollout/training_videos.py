"""Videos of training iterations: what one car does is noted while it plays, and drawn while the training goes on.

<run>/mp4/training/camera-{pip,45degree,topview}/<iteration>-video.mp4 in the store. One is drawn at a time, in a
process at the lowest priority; an iteration whose turn comes while that one is still being drawn goes without.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from kuberacer.die_with_parent import dying_with_parent
from kuberacer.formats.write import write_atomically
from kuberacer.report.recording import CAR, STEPS_PER_SECOND, Recording
from kuberacer.rollout.fragment import Fragment
from kuberacer.rollout.rivals import AmongRivals
from kuberacer.sim.race_sim import RaceSim
from kuberacer.sim.track import Track
from kuberacer.store.client import ObjectStore

VIEWS = ("pip", "45degree", "topview")
LONGEST = 60 * STEPS_PER_SECOND  # steps of a video; a minute tells what there is to see
LAST_S = 60.0  # for the video that is being drawn when the training ends
COLOR = "Orange"


def folder_of(run: str) -> str:
    """Where the videos lie in the store."""
    return f"{run}/mp4/training/"


def fetch_videos(store: ObjectStore, run: str, folder: Path) -> None:
    """All videos of a run, of its earlier starts too, and videos.json, which lists them."""
    found = [key.removeprefix(folder_of(run)) for key in store.list(folder_of(run))]
    for name in found:
        store.get_file(folder_of(run) + name, folder / name)
    write_atomically(folder / "videos.json", json.dumps({"videos": sorted(found)}) + "\n")


def filmed(iteration: int, every: int) -> bool:
    """Whether an iteration is; every: so many-th, 0: none."""
    return every > 0 and iteration % every == 0


class Lookout:
    """Notes what the first car of a simulator sees, and what stands on its road, in the iterations that are filmed."""

    def __init__(self, every: int):
        """every: so many iterations; 0: none."""
        self.every, self.noted = every, 0
        self.camera, self.objects = np.empty((0, 1, 120, 160), np.uint8), np.empty((0, 0))
        self.watching = False

    def begin(self, iteration: int) -> None:
        self.watching, self.noted = filmed(iteration, self.every), 0

    def look(self, sim: RaceSim | AmongRivals) -> None:
        """Before `advance`, at every step."""
        if not self.watching or self.noted == LONGEST:
            return
        if not len(self.camera):
            self.camera = np.empty((LONGEST, *sim.frames.shape[1:]), np.uint8)
            self.objects = np.empty((LONGEST, *sim.objects.shape[1:]), sim.objects.dtype)
        self.camera[self.noted], self.objects[self.noted] = sim.frames[0], sim.objects[0]
        self.noted += 1

    def recording(self, track: Track, rows: np.ndarray, iteration: int) -> Recording:
        """Of what was noted; rows: the car's of the iteration's trace."""
        noted = slice(self.noted)
        return training_film(track, rows[noted], self.camera[noted], self.objects[noted], iteration)


def training_film(track: Track, rows: np.ndarray, camera: np.ndarray, objects: np.ndarray, iteration: int) -> Recording:
    """Of one car. rows (T,): TraceRecorder.FIELDS; camera (T, views, 120, 160); objects (T, K) of OBJECT."""
    cars = np.zeros((len(rows), 1), CAR)
    for key in ("x", "y", "heading", "speed", "steering", "progress", "status"):
        cars[key][:, 0] = rows[key]
    cars["lap_time"][:, 0] = cars["total_time"][:, 0] = rows["sim_time"]
    cars["lap"] = 1
    name = f"Iteration {iteration}"
    return Recording(track, [name], [COLOR], cars, objects, camera[:, None], leaderboard="Training")


def played_elsewhere(track: Track, fragments: list[Fragment], iteration: int) -> Recording:
    """The first car of one of the workers, from what it sent for an iteration: frames and trace are there anyway."""
    worker = min(fragment.tag.worker for fragment in fragments)
    parts = sorted((f for f in fragments if f.tag.worker == worker), key=lambda f: f.tag.sequence)
    rows = np.concatenate([part.trace[:, 0] for part in parts])[:LONGEST]
    camera = np.concatenate([part.frames[:-1, 0] for part in parts])[:LONGEST]
    objects = [np.empty((part.time, 0)) if part.objects is None else part.objects for part in parts]
    return training_film(track, rows, camera, np.concatenate(objects)[:LONGEST], iteration)


class TrainingVideos:
    """Use as a context manager: leaving it waits for the last video, except for a training that was stopped."""

    def __init__(self, run: str, work: Path, store: ObjectStore, say: Callable[[str], None]):
        self.run, self.work, self.store, self.say = run, work / "videos", store, say
        self._hurry = self.work / "hurry"  # once it is there, nobody else needs the processor
        self._process: subprocess.Popen[str] | None = None
        self._under_way: tuple[int, threading.Thread] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is None:
            return
        if kind is None and self._under_way is not None:
            iteration, waiting = self._under_way
            self._hurry.touch()
            waiting.join(LAST_S)
            if waiting.is_alive():
                self.say(f"the video of iteration {iteration} was not ready in {LAST_S:.0f} s: it is left out")
        self._process.kill()
        self._process.wait()
        self._hurry.unlink(missing_ok=True)

    def draw(self, iteration: int, made: Recording) -> None:
        """Begin with a video, unless the one before is still being drawn."""
        if self._under_way is not None and self._under_way[1].is_alive():
            self.say(f"no video of iteration {iteration}: that of {self._under_way[0]} is still being drawn")
            return
        if self._process is None or self._process.poll() is not None:
            self._process = self._start()
        self.work.mkdir(exist_ok=True)
        file = self.work / f"{iteration}.npz"
        made.save(file)
        videos = {view: self.work / f"{iteration}-{view}.mp4" for view in VIEWS}
        waiting = threading.Thread(target=self._wait, args=(self._process, iteration, file, videos), daemon=True)
        waiting.start()
        self._under_way = (iteration, waiting)

    def _start(self) -> subprocess.Popen[str]:
        command = dying_with_parent([sys.executable, "-m", "kuberacer.report.draw_films"])
        # A session of its own: Ctrl-C is for the training, which ends it.
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )

    def _wait(self, process: subprocess.Popen[str], iteration: int, file: Path, videos: dict[str, Path]) -> None:
        """Have it drawn and bring it away. A video is not worth a training: what goes wrong is said."""
        assert process.stdin is not None
        assert process.stdout is not None
        names = {view: str(path) for view, path in videos.items()}
        job = {"recording": str(file), "videos": names, "hurry": str(self._hurry)}
        try:
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
            answer = json.loads(line) if line else {"error": "the process that draws it has ended"}
            if "error" in answer:
                raise RuntimeError(answer["error"])
            for view, path in videos.items():
                self.store.put_file(f"{folder_of(self.run)}camera-{view}/{iteration}-video.mp4", path, "video/mp4")
        except Exception as error:
            self.say(f"no video of iteration {iteration}: {error}")
        for path in (file, *videos.values()):
            path.unlink(missing_ok=True)
