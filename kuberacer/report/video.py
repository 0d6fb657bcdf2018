"""The lap video: what the camera sees beside the track from above, with lap, time, progress and speed."""

from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from kuberacer.sim.picture import CarPose, TopView
from kuberacer.sim.track import Track

PANEL = (480, 360)  # width, height of each half; 3 x the camera's
BAR = 40  # pixels of text below
FRAMES_PER_SECOND = 15  # a frame a step: the video runs at the simulator's own pace
BAR_COLOR, TEXT_COLOR = (18, 22, 28), (232, 236, 241)


class LapVideo:
    """Writes an mp4 (H.264, yuv420p, index first) that browsers play. Use as a context manager."""

    def __init__(self, path: Path, track: Track):
        path.parent.mkdir(parents=True, exist_ok=True)
        self.view = TopView(track, *PANEL)
        self.font = ImageFont.load_default(size=18)
        self.container = av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"})
        # The same frames give the same bytes: x264's macroblock tree does not, even with one thread.
        self.stream = self.container.add_stream(
            "libx264",
            rate=FRAMES_PER_SECOND,
            options={"preset": "veryfast", "crf": "26", "x264-params": "threads=1:mbtree=0"},
        )
        self.stream.width, self.stream.height, self.stream.pix_fmt = 2 * PANEL[0], PANEL[1] + BAR, "yuv420p"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for packet in self.stream.encode():
            self.container.mux(packet)
        self.container.close()

    def add(self, camera: np.ndarray, car: CarPose, path: np.ndarray, text: str) -> None:
        """One frame: camera (120, 160) uint8, the way driven so far (K, 2) metres, one line of text."""
        self.encode(self.compose(camera, car, path, text))

    def compose(self, camera: np.ndarray, car: CarPose, path: np.ndarray, text: str) -> np.ndarray:
        """The picture of one frame (height, width, 3) uint8."""
        picture = Image.new("RGB", (2 * PANEL[0], PANEL[1] + BAR), BAR_COLOR)
        picture.paste(Image.fromarray(camera).resize(PANEL, Image.Resampling.NEAREST), (0, 0))
        picture.paste(Image.fromarray(self.view.frame([car], path)), (PANEL[0], 0))
        ImageDraw.Draw(picture).text((14, PANEL[1] + 9), text, fill=TEXT_COLOR, font=self.font)
        return np.asarray(picture)

    def encode(self, picture: np.ndarray) -> None:
        for packet in self.stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
            self.container.mux(packet)
