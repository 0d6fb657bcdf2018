"""States of cars on a track without a simulator: what a reward is tried on before a training.

Positions come from the waypoints and the road's width. A lane is a place across the road: 0 the centre line, 1 the left
border, -1 the right one (in the driving direction), beyond 1 off the road.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from kuberacer.reward.runner import RoadFacts
from kuberacer.sim.params import ParamArrays

HALF_TREAD = 0.08  # m from the car's middle to its wheels
STEP_S = 1.0 / 15.0
OBJECT_REACH, OBJECT_SIGHT = 0.35, 2.0  # m: crash, seen by the camera
SAMPLE_BATCHES, SAMPLE_CARS = 24, 64


@dataclass(frozen=True)
class Lane:
    """across: see above. reverse: drives against the route, as after `reverse direction`. wild: with swinging heading,
    steering and speed."""

    across: float
    reverse: bool = False
    wild: bool = False


def drive_lap(
    road: RoadFacts,
    lanes: Sequence[Lane],
    rows: int,
    half_widths: np.ndarray | None = None,
    objects: int = 0,
) -> Iterator[tuple[int, ParamArrays]]:
    """One car a lane, side by side around the lap: (row, values) for each of `rows` steps; values are written in place.

    half_widths: (W, 2) metres from each waypoint to the left and the right border (default: half the width everywhere).
    objects: so many stand around the lap, left and right in turn. The last step is that of a finished lap.
    """
    values = ParamArrays.allocate(road, len(lanes), objects=objects)  # type: ignore[arg-type]
    reverse = np.array([lane.reverse for lane in lanes])
    values.is_reversed[:] = reverse
    ways = [_Way(road, half_widths, backwards) for backwards in (False, True)]
    for way, chosen in zip(ways, (~reverse, reverse), strict=True):
        way.put_objects(values, chosen, (np.arange(objects) + 0.5) / max(objects, 1), np.tile([0.5, -0.5], objects))
    random = np.random.default_rng(0)
    for row in range(rows):
        gone = (row + 1) / rows
        for way, chosen in zip(ways, (~reverse, reverse), strict=True):
            if chosen.any():
                way.place(values, chosen, np.array([lane.across for lane in lanes])[chosen], gone)
        wild = np.array([lane.wild for lane in lanes])
        values.speed[:] = np.where(wild, random.uniform(0.1, 4.0, len(lanes)), 1.0)
        values.steering_angle[:] = np.where(wild, random.uniform(-30, 30, len(lanes)), 0.0)
        values.heading[wild] = _wrapped(values.heading[wild] + random.uniform(-60, 60, wild.sum()))
        # The very first step is one of a car that has hardly moved.
        values.progress[:] = 0.0 if row == 0 else 100.0 * gone
        values.steps[:] = row + 1
        values.sim_time[:] = (row + 1) * STEP_S
        if objects:
            _meet_objects(values)
        yield row, values


def sample_states(road: RoadFacts, cars: int, objects: int = 0) -> Iterator[ParamArrays]:
    """A thousand and more states spread over the road and beside it, in batches of `cars`; the same ones every time."""
    random = np.random.default_rng(1)
    values = ParamArrays.allocate(road, cars, objects=objects)  # type: ignore[arg-type]
    ways = [_Way(road, None, backwards) for backwards in (False, True)]
    for batch in range(-(-SAMPLE_BATCHES * SAMPLE_CARS // cars)):
        reverse = random.random(cars) < 0.3
        values.is_reversed[:] = reverse
        for way, chosen in zip(ways, (~reverse, reverse), strict=True):
            way.place(values, chosen, random.uniform(-1.6, 1.6, chosen.sum()), random.random(chosen.sum()))
        values.heading[:] = _wrapped(values.heading + random.normal(0, 40, cars))
        values.speed[:] = random.choice([0.1, 1.0, 2.5, 4.0], cars) * random.choice([1.0, random.random()], cars)
        values.steering_angle[:] = random.choice([-30.0, 0.0, 30.0], cars) * random.choice([1.0, random.random()], cars)
        values.progress[:] = random.choice([0.0, 100.0, *(100 * random.random(6))], cars)
        values.steps[:] = random.integers(1, 3000, cars) if batch % 2 else random.integers(1, 12, cars)
        values.sim_time[:] = values.steps * STEP_S
        values.is_crashed[:] = random.random(cars) < 0.1
        values.object_in_camera[:] = random.random(cars) < 0.3
        if objects:
            for way, chosen in zip(ways, (~reverse, reverse), strict=True):
                way.put_objects(values, chosen, np.sort(random.random(objects)), random.choice([-0.5, 0.5], objects))
            _meet_objects(values)
        yield values


class _Way:
    """The road in one driving direction."""

    def __init__(self, road: RoadFacts, half_widths: np.ndarray | None, backwards: bool):
        self.road, self.points = road, np.array(road.waypoints, dtype=np.float64)
        if half_widths is None:
            half_widths = np.full((len(self.points), 2), 0.5 * road.width)
        if backwards:
            self.points, half_widths = self.points[::-1], half_widths[::-1, ::-1]
        self.half_widths = half_widths
        self.start = np.append(0.0, np.cumsum(np.hypot(*np.diff(self.points, axis=0).T)))

    def put_objects(self, values: ParamArrays, cars: np.ndarray, gone: np.ndarray, across: np.ndarray) -> None:
        """Put the masked cars' objects at `gone` (objects,) of the lap, `across` the road; the first one drives."""
        count = values.objects
        if not count:
            return
        at = ParamArrays.allocate(self.road, count)  # type: ignore[arg-type]
        self.place(at, np.ones(count, bool), across[:count], gone)
        values.objects_location[cars] = np.stack([at.x, at.y], axis=1)
        values.objects_left_of_center[cars] = at.is_left_of_center
        values.objects_speed[cars] = np.where(np.arange(count) == 0, 0.2, 0.0)
        values.objects_heading[cars] = np.where(np.arange(count) == 0, at.heading, 0.0)
        values.objects_distance_from_center[cars] = at.distance_from_center
        values.objects_distance[cars] = at.projection_distance

    def place(self, values: ParamArrays, cars: np.ndarray, across: np.ndarray, gone: np.ndarray | float) -> None:
        """Put the masked cars at `gone` (0..1) of the lap, `across` the road, nose along it."""
        distance = np.broadcast_to(np.asarray(gone) * self.start[-1], across.shape)
        behind = np.clip(np.searchsorted(self.start, distance, side="right") - 1, 0, len(self.points) - 2)
        step = self.points[behind + 1] - self.points[behind]
        length = np.hypot(*step.T)
        # Real routes repeat a point here and there.
        tangent = np.where(length[:, None] > 0, step / np.maximum(length, 1e-9)[:, None], [1.0, 0.0])
        center = self.points[behind] + tangent * (distance - self.start[behind])[:, None]
        half = np.where(across >= 0, self.half_widths[behind, 0], self.half_widths[behind, 1])
        left = tangent[:, ::-1] * [-1.0, 1.0]
        offset = across * half
        values.x[cars], values.y[cars] = (center + left * offset[:, None]).T
        values.heading[cars] = np.degrees(np.arctan2(tangent[:, 1], tangent[:, 0]))
        values.distance_from_center[cars] = np.abs(offset)
        values.is_left_of_center[cars] = offset > 0
        values.projection_distance[cars] = distance
        values.closest_waypoints[cars] = np.stack([behind, behind + 1], axis=1)
        values.all_wheels_on_track[cars] = np.abs(offset) + HALF_TREAD <= half
        values.is_offtrack[cars] = np.abs(offset) - HALF_TREAD >= half


def _meet_objects(values: ParamArrays) -> None:
    """What the cars have to do with their objects: crash into them, see them, which are behind and ahead on the lap."""
    gaps = values.objects_location - np.stack([values.x, values.y], axis=1)[:, None]
    distance = np.hypot(gaps[..., 0], gaps[..., 1])
    nose = np.radians(values.heading)[:, None]
    ahead = gaps[..., 0] * np.cos(nose) + gaps[..., 1] * np.sin(nose) > 0
    values.is_crashed[:] = (distance < OBJECT_REACH).any(axis=1)
    values.object_in_camera[:] = (ahead & (distance < OBJECT_SIGHT)).any(axis=1)
    along = (values.objects_distance - values.projection_distance[:, None]) % values.track_length
    values.closest_objects[:, 1] = along.argmin(axis=1)
    values.closest_objects[:, 0] = along.argmax(axis=1)


def _wrapped(degrees: np.ndarray) -> np.ndarray:
    return (degrees + 180.0) % 360.0 - 180.0
