"""What a video is drawn from: where every car and object was at every step, and what the cars' cameras saw."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import zstandard

from kuberacer.sim.track import Track

ARRAYS, WORDS = ("cars", "objects", "camera"), ("names", "colors", "leaderboard", "race_type", "laps")

STEPS_PER_SECOND = 15
LONGEST = 5 * 60 * STEPS_PER_SECOND  # steps of a film: a car that never arrives is no film of ten minutes
CAR = np.dtype(
    [
        ("x", "f8"), ("y", "f8"),  # m, as the reward's parameters: of a point 0.14 m ahead of the rear axle
        ("heading", "f8"),  # degrees, counter-clockwise from x
        ("speed", "f8"), ("steering", "f8"),  # m/s and degrees, commanded
        ("progress", "f8"),  # percent of the lap that is being driven
        ("lap_time", "f8"), ("total_time", "f8"),  # s, penalties included
        ("lap", "i8"),  # the one that is being driven, from 1
        ("resets", "i8"), ("penalty", "f8"),  # so far; s
        ("status", "i1"),  # EpisodeStatus
    ]
)  # fmt: skip


@dataclass
class Recording:
    """Of one trial with all its cars, or of one training episode. T steps, n cars, K objects.

    cars: (T, n) of CAR. objects: (T, K) of the simulator's OBJECT, boxes and bots; other racers are in `cars`.
    camera: (T, n, views, 120, 160) uint8; of fewer than n cars where not all were filmed.
    """

    track: Track
    names: list[str]  # of the cars, as they are shown
    colors: list[str]  # of the cars, CAR_COLOR's names
    cars: np.ndarray
    objects: np.ndarray
    camera: np.ndarray
    leaderboard: str = ""
    race_type: str = "TIME_TRIAL"
    laps: int = 1

    def __post_init__(self) -> None:
        steps, cars = self.cars.shape
        if not len(self.names) == len(self.colors) == cars:
            raise ValueError(f"{len(self.names)} names and {len(self.colors)} colors for {cars} cars")
        if len(self.objects) != steps or len(self.camera) != steps:
            raise ValueError(f"{steps} steps, {len(self.objects)} of objects, {len(self.camera)} of the cameras")

    def __len__(self) -> int:
        """Steps."""
        return len(self.cars)

    def save(self, path: Path) -> None:
        """Into one .npz file, for another process."""
        about = {"track": self.track.name} | {word: getattr(self, word) for word in WORDS}
        arrays = {name: getattr(self, name) for name in ARRAYS}
        with path.open("wb") as file:
            np.savez(file, allow_pickle=False, about=np.array(json.dumps(about)), route=self.track.route(), **arrays)

    @classmethod
    def load(cls, path: Path) -> "Recording":
        """What `save` wrote."""
        with np.load(path, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            track = Track.from_route(file["route"], about["track"])
            return cls(track, **{name: file[name] for name in ARRAYS}, **{word: about[word] for word in WORDS})


@dataclass
class Reel:
    """A recording while it is made, step by step. Frames are kept packed: many trials are recorded side by side."""

    cars: list[np.ndarray] = field(default_factory=list)
    objects: list[np.ndarray] = field(default_factory=list)
    camera: list[bytes] = field(default_factory=list)
    shape: tuple[int, ...] = ()  # of a step's frames

    def add(self, cars: np.ndarray, objects: np.ndarray, camera: np.ndarray) -> None:
        """One step, copied: (n,) of CAR, (K,) of OBJECT, (n, views, 120, 160). Those after LONGEST are left out."""
        if len(self.cars) == LONGEST:
            return
        self.cars.append(cars.copy())
        self.objects.append(objects.copy())
        self.camera.append(zstandard.ZstdCompressor(level=1).compress(camera.tobytes()))
        self.shape = camera.shape

    def __len__(self) -> int:
        return len(self.cars)

    def recording(self, track: Track, names: list[str], colors: list[str], **about) -> Recording:
        """about: leaderboard, race_type, laps."""
        unpack = zstandard.ZstdDecompressor()
        camera = np.empty((len(self), *self.shape), np.uint8)
        for frames, packed in zip(camera, self.camera, strict=True):
            frames.ravel()[:] = np.frombuffer(unpack.decompress(packed), np.uint8)
        return Recording(track, names, colors, np.stack(self.cars), np.stack(self.objects), camera, **about)
