"""The simulator's core: any number of cars on one track, stepped and rendered together.

sim.advance(steering_deg, speed)
rewards = reward(sim.values)
sim.reset(sim.terminated | sim.truncated)
sim.render()
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from kuberacer.sim import step_kernels as kernels
from kuberacer.sim.camera import HEIGHT, SENSORS, WIDTH, Camera
from kuberacer.sim.episode import STATUS_NAMES, SimConfig
from kuberacer.sim.geometry import RouteTables
from kuberacer.sim.lidar import Lidar, lidar_of
from kuberacer.sim.lidar_kernels import scan_cars
from kuberacer.sim.object_kernels import WALK, meet_objects
from kuberacer.sim.objects import Objects
from kuberacer.sim.params import ParamArrays
from kuberacer.sim.randomization import Draws, nominal, randomize
from kuberacer.sim.render_kernels import render_cars
from kuberacer.sim.texture import GREY, Paint, Texture
from kuberacer.sim.track import Track

FLOAT_KEYS = (
    "x", "y", "heading", "distance_from_center", "projection_distance", "progress",
    "speed", "steering_angle", "sim_time",
)  # fmt: skip
FLAG_KEYS = (
    "all_wheels_on_track", "is_left_of_center", "is_reversed", "is_crashed", "is_offtrack", "object_in_camera",
)  # fmt: skip


TRAINING, CAMERA = SimConfig(), Camera()


class RaceSim:
    """Cars on a track. All arrays below are written in place, first axis the car.

    frames (cars, views, 120, 160) uint8: what the cameras saw at the last `render`; two views, left and right, with
    stereo cameras. channels (paints, cars, views, 120, 160): the same in each of the paints. lidar (cars, 64) float32
    metres, or None: the lidars' last scans then. values: the reward's parameters. status (cars,) int8: EpisodeStatus.
    terminated, truncated (cars,) bool; time_up truncates, all other ends terminate.

    The same seed gives the same frames and values bit for bit for any number of threads, and car i does the same in any
    number of cars.
    """

    def __init__(
        self,
        track: Track,
        cars: int,
        *,
        seed: int = 0,
        config: SimConfig = TRAINING,
        threads: int = 1,
        clean: bool = False,
        sensors: Sequence[str] = ("FRONT_FACING_CAMERA",),
        lidar: Lidar | None = None,
        colors: Sequence[str] = (),
        camera: Camera = CAMERA,
        paints: Sequence[Paint] = (GREY,),
    ) -> None:
        """sensors: DeepRacer's names, one of a camera and perhaps one of a lidar. lidar: another one than usual.
        colors: the cars', by DeepRacer's names. clean: leave the cameras' noise away (kuberacer.sim.camera_noise draws
        it on top). camera: another one than DeepRacer's, and paints: what the channels of its pictures show; not with
        domain randomisation or objects, which are drawn in grey."""
        if cars < 1 or threads < 1:
            raise ValueError("cars and threads must be at least 1")
        self.track, self.cars, self.seed, self.config, self.clean = track, cars, seed, config, clean
        self.tables, textures = RouteTables.of(track), [Texture.of(track, paint) for paint in paints]
        self.texture = textures[0]
        views = _views(sensors)
        self.channels = np.zeros((len(paints), cars, len(views), HEIGHT, WIDTH), np.uint8)
        self.frames = self.channels[0]
        scanner = lidar_of(sensors, lidar)
        self.lidar = None if scanner is None else np.full((cars, scanner.values), scanner.farthest, np.float32)
        self.status = np.zeros(cars, np.int8)
        self._ended = np.zeros((2, cars), np.bool_)
        self.terminated, self.truncated = self._ended
        self._floats, self._flags = np.zeros((len(FLOAT_KEYS), cars)), np.zeros((len(FLAG_KEYS), cars), np.bool_)
        blocks = dict(zip(FLOAT_KEYS, self._floats, strict=True)) | dict(zip(FLAG_KEYS, self._flags, strict=True))
        self.values = ParamArrays.allocate(
            track, cars, lambda key, shape, dtype: blocks.get(key, np.zeros(shape, dtype)), config.scene.objects
        )
        self.field = Objects(track, cars, config, self.values, colors)
        self._cars = np.zeros(cars, kernels.CAR)
        self._cars["episode"] = -1
        for car in self._cars:
            nominal(car, kernels.SUBSTEP)
        self._commands, self._places = np.zeros((2, cars)), np.zeros((2, cars))
        self._queues = np.zeros((cars, kernels.LATENCY_SLOTS, 2))
        self._road = (self.tables.segments, self.tables.borders, track.closed, track.length)
        self._results = (
            self._floats, self._flags, self.values.steps, self.values.closest_waypoints, self.status, self._ended,
        )  # fmt: skip
        self._step_arguments = (
            self._cars, self._commands, self._queues, *self._road, config.max_steps, *self._results,
        )  # fmt: skip
        drawn = cars if config.randomization else 1
        tables = [camera.row_table(self.texture.texel, paint.sky)[None].repeat(drawn, axis=0) for paint in paints]
        self._row_tables = tables[0]
        self._lenses = np.repeat(np.array([camera.lens]), drawn, axis=0)
        self._lookups = np.repeat(np.arange(256, dtype=np.uint8)[None], drawn, axis=0)
        self._render_arguments = [
            (
                self._cars, rows, texture.texels, texture.levels, *texture.origin,
                config.randomization, self._lookups, np.array(views), self._lenses, self.field.rows,
            )
            for rows, texture in zip(tables, textures, strict=True)
        ]  # fmt: skip
        self._meeting = self.field.meeting(
            self._cars, self._lenses, np.array(views), self._flags, self.status, self._ended
        )
        self._scan_arguments = () if scanner is None else (self._cars, self.field.rows, *scanner.arguments())
        self._everyone = np.ones(cars, np.bool_)
        threads = min(threads, cars)
        bounds = np.linspace(0, cars, threads + 1).astype(int).tolist()
        self._ranges = list(pairwise(bounds))
        self._pool = ThreadPoolExecutor(threads - 1, "sim") if threads > 1 else None

    @property
    def episode(self) -> np.ndarray:
        """(cars,) int64: number of the car's episode, from 0; -1 before the first reset."""
        return self._cars["episode"]

    @property
    def driven_speed(self) -> np.ndarray:
        """(cars,) metres a second that the cars drive, which follows what they are told."""
        return self._cars["speed"]

    @property
    def objects(self) -> np.ndarray:
        """(cars, K) of OBJECT: each car's boxes, bots and other racers."""
        return self.field.rows

    @property
    def absent(self) -> np.ndarray:
        """(cars,) bool, to be written by whoever runs a race: cars that the others neither see nor hit, and that hit
        nothing themselves: parked, or waiting for a penalty's end. Cleared by `reset`."""
        return self.field.absent

    def status_name(self, car: int) -> str:
        """A car's EpisodeStatus by name."""
        return STATUS_NAMES[self.status[car]]

    def advance(self, steering_deg: np.ndarray, speed: np.ndarray) -> None:
        """One policy step (1/15 s) of all cars towards (cars,) steering angles in degrees (left positive) and speeds in
        m/s; beyond ±30 degrees and 0 to 4 m/s they are clipped. Fills values, status, terminated, truncated."""
        self._commands[0], self._commands[1] = steering_deg, speed
        self._launch(kernels.step_cars, self._step_arguments)
        if self.values.objects:
            self._launch(meet_objects, self._meeting(self._everyone, True))

    def render(self, cars: np.ndarray | None = None) -> None:
        """Draw the camera frames of all cars or of those in the mask (cars,) bool, and take their lidars' scans."""
        mask = self._everyone if cars is None else cars
        for arguments, frames in zip(self._render_arguments, self.channels, strict=True):
            self._launch(render_cars, (mask, *arguments, self.seed, frames))
        if self.lidar is not None:
            self._launch(scan_cars, (mask, *self._scan_arguments, self.seed, self.lidar))

    def reset(self, cars: np.ndarray | None = None, at: np.ndarray | None = None) -> None:
        """Begin a new episode for all cars or for those in the mask (cars,) bool. Fills values; does not render.

        at: shares of the lap (cars,) to start at, instead of the config's."""
        mask = self._everyone if cars is None else cars
        chosen = np.flatnonzero(mask)
        if not len(chosen):
            return
        self._cars["episode"][chosen] += 1
        episodes = self._cars["episode"][chosen]
        self._cars["direction"][chosen] = self.config.directions(episodes)
        if self.config.randomization:
            for i, episode in zip(chosen.tolist(), episodes.tolist(), strict=True):
                camera, self._lookups[i] = randomize(self._cars[i], Draws(self.seed, i, episode), kernels.SUBSTEP)
                self._row_tables[i], self._lenses[i] = camera.row_table(self.texture.texel), camera.lens
                if self.clean:  # a frame that is dropped stays dropped
                    self._cars["noise"][i] = self._cars["blur"][i] = 0.0
                    self._lookups[i] = np.arange(256)
        groups = chosen // self.config.scene.together
        starts = self.config.start_fractions(groups, episodes, self.track.closed) if at is None else at[chosen]
        self._places[0, chosen] = self.track.length * starts
        self._places[1, chosen] = 0.0
        self.field.line_up(chosen, self._places)
        if self.values.objects:
            self.field.begin(mask, self._cars, self.seed)
            self.field.clear(mask, self._cars, self._places, walk=WALK, aside=True)
        self._stand(mask)
        self._settle(mask, restart=True)
        self._cars["travelled"][chosen] -= self.field.behind_line(chosen)

    def restart(self, seed: int) -> None:
        """Start all over from a seed, with every car's first episode, as a new RaceSim after its first `reset`."""
        self.seed = seed
        self.forget()
        self.reset()

    def forget(self) -> None:
        """Count the episodes from 0 again, from the next `reset` on."""
        self._cars["episode"] = -1

    def place(self, x: np.ndarray, y: np.ndarray, heading: np.ndarray, cars: np.ndarray | None = None) -> None:
        """Stand all or the masked cars so that `values` say x, y, heading (degrees); arrays (cars,).

        The episode's progress and clock start anew; its number stays."""
        mask = self._everyone if cars is None else cars
        angle = np.deg2rad(np.asarray(heading, np.float64))
        angle = (angle + np.pi) % (2.0 * np.pi) - np.pi
        self._cars["x"][mask] = (x - kernels.FRONT * np.cos(angle))[mask]
        self._cars["y"][mask] = (y - kernels.FRONT * np.sin(angle))[mask]
        self._cars["heading"][mask] = angle[mask]
        self._settle(mask, restart=True)

    def recover(self, cars: np.ndarray, pause_seconds: float = 0.0, behind: float = 1.0) -> None:
        """Put the masked cars (cars,) bool back on the road where they are on the lap, standing in the middle of the
        nearer lane; the episode goes on after a pause. What an evaluation does with a car off the track. One that has
        crashed, or has a box beside it, stands `behind` metres behind that object on the other lane."""
        self._cars["sim_time"][cars] += pause_seconds
        was, length = self._cars["distance"].copy(), self.track.length
        self._places[0] = was
        self._places[1] = np.where(self.values.is_left_of_center, 0.25, -0.25) * self.track.width
        if self.values.objects:
            self.field.fall_back(cars, self._places, behind)
            self.field.clear(cars, self._cars, self._places, walk=-WALK, aside=False)
            gone = self._places[0] - was
            gone = (gone + 0.5 * length) % length - 0.5 * length if self.track.closed else gone
            self._cars["travelled"][cars] += gone[cars]
        self._stand(cars)
        self._settle(cars, restart=False)

    def stop(self, cars: np.ndarray) -> None:
        """Stop the masked cars (cars,) bool where they are and forget what they were told. A car that is stopped after
        every step stands without being immobilised."""
        self._cars["speed"][cars] = self._cars["steering"][cars] = 0.0
        self._cars["still_steps"][cars] = self._cars["backward_steps"][cars] = 0
        self._queues[cars] = 0.0

    def next_lap(self, cars: np.ndarray) -> None:
        """Let the masked cars (cars,) bool, which have completed a lap, begin the next one without a start of its own:
        clock, steps and motion go on. For loops."""
        self._cars["travelled"][cars] -= self._cars["goal"][cars]
        self._cars["goal"][cars] = self.track.length

    def _stand(self, mask: np.ndarray) -> None:
        """Pose the masked cars at their `_places`."""
        kernels.stand_cars(mask, self._cars, self.tables.segments, self.track.closed, self.track.length, self._places)

    def _settle(self, mask: np.ndarray, restart: bool) -> None:
        kernels.settle_cars(mask, self._cars, self._queues, *self._road, restart, *self._results)
        if self.values.objects:
            self._flags[kernels.CRASHED][mask], self.field.hit[mask] = False, -1
            meet_objects(0, self.cars, *self._meeting(self.field.groups_of(mask), False))

    def _launch(self, kernel: Callable[..., None], arguments: tuple) -> None:
        """Run a kernel over all cars, the first share in this thread."""
        if self._pool is None:
            kernel(0, self.cars, *arguments)
            return
        others = [self._pool.submit(kernel, first, last, *arguments) for first, last in self._ranges[1:]]
        kernel(*self._ranges[0], *arguments)
        for other in others:
            other.result()


def _views(sensors: Sequence[str]) -> tuple[float, ...]:
    """Where the camera's views stand, metres to the left of the middle."""
    cameras = [SENSORS[sensor] for sensor in sensors if sensor in SENSORS]
    if len(cameras) != 1:
        raise ValueError(f"sensors {list(sensors)}: exactly one of {', '.join(SENSORS)} is needed")
    return cameras[0]
