"""The video plays, has the frames it was given, and the same frames give the same bytes."""

from pathlib import Path

import av
import numpy as np

from kuberacer.report.video import FRAMES_PER_SECOND, LapVideo
from kuberacer.sim.picture import CarPose
from kuberacer.sim.track import Track


def ring() -> Track:
    angle = np.linspace(0, 2 * np.pi, 80)
    unit = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return Track.from_route(np.hstack([3 * unit, 2.6 * unit, 3.4 * unit]), "ring")


def write(path: Path, frames: int) -> bytes:
    track = ring()
    with LapVideo(path, track) as video:
        for i in range(frames):
            camera = np.full((120, 160), 5 * i, np.uint8)
            video.add(camera, CarPose(*track.center[i], 90.0), track.center[: i + 1], f"lap 1 · {i / 15:.2f} s")
    return path.read_bytes()


def test_a_video_holds_its_frames(tmp_path: Path):
    write(tmp_path / "lap.mp4", 20)
    with av.open(str(tmp_path / "lap.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert stream.average_rate == FRAMES_PER_SECOND
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
    assert len(pictures) == 20
    assert abs(int(pictures[10][100, 100, 0]) - 50) < 6, "the camera's half shows the camera"
    assert pictures[10][:360, 480:].std() > 10, "the other half shows the track"


def test_the_same_frames_give_the_same_bytes_with_the_index_first(tmp_path: Path):
    one, two = write(tmp_path / "a.mp4", 12), write(tmp_path / "b.mp4", 12)
    assert one == two
    assert one.index(b"moov") < one.index(b"mdat"), "browsers start before they have it all"
