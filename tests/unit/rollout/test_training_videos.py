"""Videos of training iterations: what is noted while it plays, and what becomes of it in the process that draws."""

import shutil
import time
from pathlib import Path

import av
import numpy as np
import pytest

from kuberacer.coach.choose import Explore
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.report.recording import Recording
from kuberacer.rollout.fragment import Tag, decode, encode
from kuberacer.rollout.player import Player
from kuberacer.rollout.trace import TraceRecorder
from kuberacer.rollout.training_videos import (
    VIEWS,
    Lookout,
    TrainingVideos,
    filmed,
    played_elsewhere,
    training_film,
)
from kuberacer.sim.episode import SimConfig
from kuberacer.sim.race_sim import RaceSim
from kuberacer.sim.scene import Boxes, Scene
from kuberacer.sim.track import Track
from tests.unit.rollout.fragments import made_up

CARS, STEPS = 3, 12


class Folder:
    """A store in a folder, as far as videos need one."""

    def __init__(self, path: Path):
        self.path = path

    def put_file(self, key: str, path: Path, content_type: str) -> None:
        assert content_type == "video/mp4"
        (self.path / key).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, self.path / key)


def played(ring: Track, every: int = 1, iterations: int = 1) -> tuple[Lookout, TraceRecorder, list[np.ndarray]]:
    """Some steps of an iteration, as a Collector plays it; the frames that the first car saw."""
    sim, lookout, trace, frames = RaceSim(ring, CARS), Lookout(every), TraceRecorder(CARS), []
    sim.reset()
    sim.render()
    for iteration in range(1, iterations + 1):
        trace.clear()
        frames.clear()
        lookout.begin(iteration)
        for step in range(STEPS):
            lookout.look(sim)
            frames.append(sim.frames[0].copy())
            steering, speed = np.full(CARS, 10.0), np.full(CARS, 1.0 + step / 10)
            sim.advance(steering, speed)
            done = sim.terminated | sim.truncated
            trace.record(sim, np.arange(CARS), np.zeros(CARS, int), steering, speed, np.zeros(CARS), done)
            sim.render()
    return lookout, trace, frames


def test_every_so_manyth_iteration_is_filmed():
    assert [n for n in range(1, 13) if filmed(n, 5)] == [5, 10]
    assert not any(filmed(n, 0) for n in range(9))


def test_the_recording_is_what_the_first_car_did_and_saw(ring: Track):
    lookout, trace, frames = played(ring, every=2, iterations=2)
    made = lookout.recording(ring, trace.rows[:, 0], 2)
    assert len(made) == STEPS
    assert (made.camera[:, 0] == np.stack(frames)).all()
    for key, column in (("x", "x"), ("heading", "heading"), ("speed", "speed"), ("total_time", "sim_time")):
        assert made.cars[key][:, 0] == pytest.approx(trace.rows[column][:STEPS, 0]), key
    assert made.names == ["Iteration 2"]
    lookout.begin(3)
    lookout.look(RaceSim(ring, 1))
    assert lookout.noted == 0, "the third one is not filmed"


def test_what_workers_sent_becomes_a_recording_of_one_worker_s_first_car(ring: Track):
    sent = [made_up(time=4, tag=Tag("s", worker, k, 3), objects=2, seed=k) for k in (1, 0) for worker in ("b", "a")]
    for fragment in sent:
        fragment.trace["x"] = 10 * fragment.tag.sequence + np.arange(4)[:, None]
    made = played_elsewhere(ring, [decode(encode(fragment)) for fragment in sent], 4)
    assert made.cars["x"][:, 0].tolist() == [0, 1, 2, 3, 10, 11, 12, 13]
    first = next(f for f in sent if f.tag.worker == "a" and f.tag.sequence == 0)
    assert (made.camera[:4, 0] == first.frames[:4, 0]).all()
    assert made.objects.shape == (8, 2)
    bare = played_elsewhere(ring, [made_up(time=4)], 4)
    assert bare.objects.shape == (4, 0)


class Anything:
    """A policy for which all actions are equal."""

    def __init__(self, actions: int):
        self.actions, self.explore = actions, Explore("categorical", 0.0, actions)

    def ask(self, observation: np.ndarray):
        return np.full((len(observation), self.actions), 1 / self.actions, np.float32), None


def test_a_worker_s_cars_are_noted_with_what_stands_on_their_track(ring: Track):
    """The player's fragments, from a real simulator with boxes."""
    metadata = ModelMetadata.default("clipped_ppo")
    sim = RaceSim(ring, 2, config=SimConfig(scene=Scene(boxes=Boxes(count=3))))
    player = Player(sim, lambda values: np.ones(2), metadata, 1, np.random.default_rng(0))
    fragment = player.play(Anything(len(metadata.action_space)), 6, Tag("s", "w", 0, 0))
    assert fragment.objects is not None
    assert (fragment.objects == sim.objects[0]).all()


def film(ring: Track, steps: int = STEPS) -> Recording:
    lookout, trace, _ = played(ring)
    made = lookout.recording(ring, trace.rows[:, 0], 1)
    rows = np.resize(trace.rows[:STEPS, 0], steps)
    return training_film(ring, rows, np.resize(made.camera[:, 0], (steps, 1, 120, 160)), np.empty((steps, 0)), 1)


def test_videos_of_all_views_come_into_the_store_and_nothing_else_is_left(ring: Track, tmp_path: Path):
    lines: list[str] = []
    with TrainingVideos("run", tmp_path, Folder(tmp_path / "store"), lines.append) as videos:
        videos.draw(7, film(ring))
    assert lines == []
    for view in VIEWS:
        path = tmp_path / "store" / f"run/mp4/training/camera-{view}/7-video.mp4"
        with av.open(str(path)) as container:
            assert sum(1 for _ in container.decode(container.streams.video[0])) == STEPS + 14
    assert list((tmp_path / "videos").iterdir()) == []


def test_an_iteration_that_comes_too_early_goes_without_and_a_dead_process_is_replaced(ring: Track, tmp_path: Path):
    lines: list[str] = []
    with TrainingVideos("run", tmp_path, Folder(tmp_path / "store"), lines.append) as videos:
        videos.draw(1, film(ring, steps=200))
        videos.draw(2, film(ring))
        assert lines == ["no video of iteration 2: that of 1 is still being drawn"]
        assert videos._process is not None
        videos._process.kill()
        deadline = time.monotonic() + 30
        while len(lines) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert lines[1].startswith("no video of iteration 1: ")
        videos._process.wait()
        while videos._under_way is not None and videos._under_way[1].is_alive():
            time.sleep(0.01)
        videos.draw(3, film(ring))
    names = sorted(path.name for path in (tmp_path / "store").rglob("*.mp4"))
    assert names == ["3-video.mp4"] * 3
    assert len(lines) == 2


def test_what_cannot_be_drawn_is_said_and_the_next_one_is_drawn(ring: Track, tmp_path: Path):
    lines: list[str] = []
    broken = film(ring)
    broken.cars["status"] = 99
    with TrainingVideos("run", tmp_path, Folder(tmp_path / "store"), lines.append) as videos:
        videos.draw(1, broken)
        assert videos._under_way is not None
        videos._under_way[1].join(60)
        videos.draw(2, film(ring))
    assert len(lines) == 1
    assert lines[0].startswith("no video of iteration 1: IndexError")
    assert len(list((tmp_path / "store").rglob("2-video.mp4"))) == 3


def test_a_training_that_is_stopped_does_not_wait(ring: Track, tmp_path: Path):
    videos = TrainingVideos("r", tmp_path, Folder(tmp_path / "s"), print)

    def stopped() -> None:
        with videos:
            videos.draw(1, film(ring, steps=900))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert videos._process is not None
    assert videos._process.returncode is not None
    assert not list((tmp_path / "s").rglob("*.mp4"))
