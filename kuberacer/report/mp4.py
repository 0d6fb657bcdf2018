"""Videos that browsers play: H.264, yuv420p, the index first, and the same pictures always as the same bytes."""

from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.video.reformatter import ColorRange

from kuberacer.sim.film_kernels import to_yuv420

BT601 = 6  # SMPTE 170M, in the numbers of H.264: what pictures of this size are taken for, said aloud
SEEK_EVERY = 45  # frames between pictures that a player can jump to


class Mp4:
    """A file that is written picture by picture. Use as a context manager; what was left by an error is removed."""

    def __init__(self, path: Path, width: int, height: int, rate: int):
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.planes = path, np.empty((height * 3 // 2, width), np.uint8)
        self.container = av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"})
        # The same frames give the same bytes: x264's macroblock tree does not, even with one thread. Frames that lean
        # on later ones would save 2 % of the bytes for a quarter more of the time.
        options = {"preset": "superfast", "crf": "27", "x264-params": "threads=1:mbtree=0:bframes=0"}
        self.stream = self.container.add_stream("libx264", rate=rate, options=options)
        self.stream.width, self.stream.height, self.stream.pix_fmt = width, height, "yuv420p"
        context = self.stream.codec_context
        context.gop_size = SEEK_EVERY
        context.colorspace = context.color_primaries = context.color_trc = BT601
        context.color_range = ColorRange.MPEG

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            for packet in self.stream.encode():
                self.container.mux(packet)
        self.container.close()
        if kind is not None:
            self.path.unlink(missing_ok=True)

    def add(self, picture: np.ndarray, times: int = 1) -> None:
        """(height, width, 3) uint8, as one frame or several."""
        to_yuv420(np.ascontiguousarray(picture), self.planes)
        for _ in range(times):
            frame = av.VideoFrame.from_ndarray(self.planes, format="yuv420p")
            for packet in self.stream.encode(frame):
                self.container.mux(packet)
