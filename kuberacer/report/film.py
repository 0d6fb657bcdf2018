"""Videos of a recording, in the three views that a DeepRacer bucket has: mp4/camera-{pip,45degree,topview}."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from kuberacer.report.bird import BirdView
from kuberacer.report.chase import ChaseView
from kuberacer.report.chase_camera import HEIGHT, WIDTH, follow
from kuberacer.report.mp4 import Mp4
from kuberacer.report.overlay import Overlay
from kuberacer.report.recording import STEPS_PER_SECOND, Recording
from kuberacer.report.things import body_middle, solids

View = Literal["pip", "45degree", "topview"]  # pip: 45degree with the overlay
VIEWS: tuple[View, ...] = get_args(View)
LAST_FRAMES = STEPS_PER_SECOND  # the end stays for a second, to be read


def film(recording: Recording, view: View, path: Path, car: int = 0) -> None:
    """Write a video of the recording at the simulator's own pace. car: the one that is followed."""
    film_views(recording, {view: path}, car)


def film_views(
    recording: Recording, paths: dict[View, Path], car: int = 0, after_step: Callable[[], None] = lambda: None
) -> None:
    """Several views at once: what they share is drawn once, and while a step is encoded the next one is drawn.

    after_step is called after each step of the recording: it may wait, to leave the machine to others."""
    pictures = Pictures(recording, tuple(paths), car)
    with ExitStack() as files, ThreadPoolExecutor(len(paths), "encode") as encoders:
        videos = {view: files.enter_context(Mp4(path, WIDTH, HEIGHT, STEPS_PER_SECOND)) for view, path in paths.items()}
        encoding: list[Future[None]] = []
        for step in range(len(recording)):
            times = LAST_FRAMES if step == len(recording) - 1 else 1
            drawn = pictures.at(step)
            for one in encoding:
                one.result()
            encoding = [encoders.submit(videos[view].add, picture, times) for view, picture in drawn.items()]
            after_step()
        for one in encoding:
            one.result()


class Pictures:
    """The pictures of some views of a recording, step by step."""

    def __init__(self, recording: Recording, views: tuple[View, ...], car: int = 0):
        self.recording, self.views = recording, views
        self.bird = BirdView(recording) if "topview" in views else None
        self.chase = ChaseView(recording.track) if {"pip", "45degree"} & set(views) else None
        self.cameras = follow(*body_middle(recording.cars[:, car]), recording.cars["heading"][:, car])
        self.overlay = Overlay(recording, car) if "pip" in views else None

    def at(self, step: int) -> dict[View, np.ndarray]:
        """(HEIGHT, WIDTH, 3) uint8 of each view."""
        found: dict[View, np.ndarray] = {}
        if self.bird is not None:
            found["topview"] = self.bird.frame(step)
        if self.chase is not None:
            found["45degree"] = self.chase.frame(self.cameras[step], solids(self.recording, step))
        if self.overlay is not None:
            found["pip"] = self.overlay.draw(found["45degree"], step)
        return {view: found[view] for view in self.views}
