"""A simulator that is somebody else's program, as one car of the rollout workers: a Gymnasium environment that gives
camera pictures and, in `info`, DeepRacer's `reward_params` and `episode_status`.

It has what a rollout uses of kuberacer.sim.RaceSim: frames, lidar, values, status, terminated, truncated, advance,
render, reset. One such environment drives one car, in real time (15 steps a second).
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from kuberacer.coach.metadata import ContinuousActions, ModelMetadata
from kuberacer.coach.sensors import LIDAR_METRES, RANGES
from kuberacer.errors import UserError
from kuberacer.sim.camera import HEIGHT, WIDTH
from kuberacer.sim.episode import STATUS_NAMES, EpisodeStatus, SimConfig
from kuberacer.sim.params import ARRAY_KEYS, ParamArrays
from kuberacer.sim.solid_kernels import OBJECT
from kuberacer.sim.track import Track

STEPS_A_SECOND = 15.0
# What DeepRacer's simulator takes from one and the same sensor: the left camera is the front one, and there is one
# lidar, of whose scans models see this or that.
SAME_AS = {
    "observation": "FRONT_FACING_CAMERA",
    "LEFT_CAMERA": "FRONT_FACING_CAMERA",
    "SECTOR_LIDAR": "LIDAR",
    "DISCRETIZED_SECTOR_LIDAR": "LIDAR",
}
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as DeepRacer makes its grey pictures


Answer = tuple[Mapping[str, np.ndarray], dict[str, Any]]  # pictures by sensor, info


class SimulatorGoneError(UserError):
    """A simulator has not answered in time: it has ended, hangs or cannot be reached."""


class GymEnvironment(Protocol):
    """What is needed of a Gymnasium environment."""

    def reset(self) -> Answer: ...
    def step(self, action: Any) -> tuple[Mapping[str, np.ndarray], float, bool, bool, dict[str, Any]]: ...
    def close(self) -> None: ...


class ExternalSim:
    """cars is 1; every array's first axis is the car, as in RaceSim.

    When the simulator goes away in an episode, that episode is cut short (truncated, as by time_up) once the simulator
    is back, and the next one begins there.
    """

    cars = 1
    seed = 0
    config = SimConfig()
    clean = False  # its pictures are as it sends them: there is no noise of ours to draw anew

    def __init__(self, connect: Callable[[], GymEnvironment], track: Track, metadata: ModelMetadata):
        """connect: to the simulator, and again when it has gone. track: the route that it drives on, for what the
        reward is told of it."""
        self.connect, self.track, self.metadata = connect, track, metadata
        self.environment = connect()
        self.returns = 0  # how often it was away and came back
        self._first: Answer | None = None
        self.values = ParamArrays.allocate(track, 1)
        self.frames = np.zeros((1, metadata.views, HEIGHT, WIDTH), np.uint8)
        self.lidar = None if metadata.lidar is None else np.full((1, RANGES), LIDAR_METRES[1], np.float32)
        self.status = np.zeros(1, np.int8)
        self.terminated, self.truncated = np.zeros(1, np.bool_), np.zeros(1, np.bool_)
        self.episode = np.full(1, -1)
        # What it has on its track it does not tell; its cars are never away.
        self.objects, self.absent = np.empty((1, 0), OBJECT), np.zeros(1, np.bool_)

    def status_name(self, car: int) -> str:
        return STATUS_NAMES[self.status[car]]

    def advance(self, steering_deg: np.ndarray, speed: np.ndarray) -> None:
        """One step towards (1,) degrees and m/s; waits for the simulator's next picture."""
        action = native_action(self.metadata, float(steering_deg[0]), float(speed[0]))
        try:
            pictures, _, terminated, truncated, info = self.environment.step(action)
        except SimulatorGoneError:
            self._first = self._come_back()
            self.values.steps += 1
            self.terminated[0], self.truncated[0], self.status[0] = False, True, EpisodeStatus.time_up
            return
        self.terminated[0], self.truncated[0] = terminated, truncated
        self._take(pictures, info)
        self.status[0] = status_of(info) if terminated or truncated else EpisodeStatus.in_progress

    def render(self, cars: np.ndarray | None = None) -> None:
        """Nothing to do: the picture came with the step."""

    def reset(self, cars: np.ndarray | None = None) -> None:
        """Begin a new episode, when the car is asked for at all."""
        if cars is not None and not cars[0]:
            return
        pictures, info = self._begin()
        self.terminated[0] = self.truncated[0] = False
        self.status[0] = EpisodeStatus.in_progress
        self.episode += 1
        self._take(pictures, info)

    def close(self) -> None:
        self.environment.close()

    def _begin(self) -> Answer:
        """An episode's first picture. Raises SimulatorGoneError when there is no simulator, or it stays away."""
        answer, self._first = self._first, None
        if answer is not None:
            return answer
        try:
            return self.environment.reset()
        except SimulatorGoneError:
            if self.episode[0] < 0:
                raise
            return self._come_back()

    def _come_back(self) -> Answer:
        """Connect anew and wait for the simulator's first picture."""
        self.environment.close()
        self.environment = self.connect()
        answer = self.environment.reset()
        self.returns += 1
        return answer

    def _take(self, pictures: Mapping[str, np.ndarray], info: Mapping[str, Any]) -> None:
        self.frames[0] = frames_of(self._sensor(pictures, self.metadata.camera), self.metadata.views)
        if self.lidar is not None and self.metadata.lidar is not None:
            self.lidar[0] = scan_of(self._sensor(pictures, self.metadata.lidar))
        fill(self.values, info.get("reward_params"))

    @staticmethod
    def _sensor(pictures: Mapping[str, np.ndarray], name: str) -> np.ndarray:
        for sensor in (name, SAME_AS.get(name, name)):
            if sensor in pictures:
                return pictures[sensor]
        raise UserError(
            f"the simulator has no sensor {name}: it sent {', '.join(sorted(pictures)) or 'nothing'}",
            "start it with the sensors of the model's metadata",
        )


def frames_of(picture: np.ndarray, views: int) -> np.ndarray:
    """(views, 120, 160) uint8 of a camera's picture. Stereo cameras send two grey ones, left and right, as (2, 120,
    160) or (120, 160, 2). Raises UserError for other shapes."""
    if views == 1:
        return grey(picture)[None]
    if picture.shape == (HEIGHT, WIDTH, views):
        picture = picture.transpose(2, 0, 1)
    if picture.shape != (views, HEIGHT, WIDTH):
        raise UserError(
            f"the simulator's stereo picture is {picture.shape}, not {(views, HEIGHT, WIDTH)}",
            f"set its cameras to {WIDTH}x{HEIGHT}",
        )
    return picture.astype(np.uint8)


def scan_of(ranges: np.ndarray) -> np.ndarray:
    """(64,) float32 metres within the lidar's limits: it sends inf where it has met nothing. Raises UserError."""
    if ranges.shape != (RANGES,):
        raise UserError(f"the simulator's lidar sent {ranges.shape}, not {RANGES} values", "use one of this version")
    return np.clip(np.nan_to_num(ranges.astype(np.float32), nan=np.inf), *LIDAR_METRES)


def grey(picture: np.ndarray) -> np.ndarray:
    """(120, 160) uint8 of a picture (120, 160), (3, 120, 160) or (120, 160, 3). Raises UserError for other shapes."""
    if picture.shape == (3, HEIGHT, WIDTH):
        picture = picture.transpose(1, 2, 0)
    if picture.shape == (HEIGHT, WIDTH, 3):
        return np.rint(picture.astype(np.float32) @ LUMA).astype(np.uint8)
    if picture.shape != (HEIGHT, WIDTH):
        raise UserError(
            f"the simulator's picture is {picture.shape}, not {(HEIGHT, WIDTH)}", f"set its camera to {WIDTH}x{HEIGHT}"
        )
    return picture.astype(np.uint8)


def fill(values: ParamArrays, params: Any) -> None:
    """Write one car's dictionary into the arrays; what it does not tell stays 0, sim_time comes from the steps.

    Raises UserError naming the key whose value is of the wrong kind.
    """
    if not isinstance(params, dict):
        raise UserError("the simulator sent no reward_params", "use one that tells them in info['reward_params']")
    told = {"sim_time": params.get("steps", 0) / STEPS_A_SECOND, **params}
    for key in ARRAY_KEYS.keys() & told.keys():
        try:
            getattr(values, key)[0] = told[key]
        except (TypeError, ValueError):
            raise UserError(
                f"the simulator's reward parameter {key} is {told[key]!r:.60}", "use a simulator of this version"
            ) from None


def status_of(info: Mapping[str, Any]) -> EpisodeStatus:
    """Why an episode ended. A simulator that does not say it has cut the episode short."""
    said = info.get("episode_status")
    for status in EpisodeStatus:
        if isinstance(said, dict) and status is not EpisodeStatus.in_progress and said.get(status.name):
            return status
    return EpisodeStatus.time_up


def native_action(metadata: ModelMetadata, steering_deg: float, speed: float) -> Any:
    """The action in DeepRacer's own form: the number of the action, or [steering, speed] on -1..1 of their ranges."""
    space = metadata.action_space
    if isinstance(space, ContinuousActions):
        bounds = np.array([space.steering_angle, space.speed])
        low, high = bounds[:, 0], bounds[:, 1]
        return np.clip(2 * (np.array([steering_deg, speed]) - low) / np.maximum(high - low, 1e-9) - 1, -1.0, 1.0)
    distances = [abs(a.steering_angle - steering_deg) + abs(a.speed - speed) for a in space]
    return int(np.argmin(distances))
