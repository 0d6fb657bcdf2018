"""What a reward function is told about every car: one array a key, and the dictionary of one car.

Keys and meanings are DeepRacer's. The simulator writes the arrays in place; rewards read them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from kuberacer.sim.track import Track

# key -> (dtype, shape after the cars' axis)
ARRAY_KEYS: dict[str, tuple[type, tuple[int, ...]]] = {
    "all_wheels_on_track": (np.bool_, ()),
    "is_left_of_center": (np.bool_, ()),
    "is_reversed": (np.bool_, ()),
    "is_crashed": (np.bool_, ()),
    "is_offtrack": (np.bool_, ()),
    "object_in_camera": (np.bool_, ()),
    "x": (np.float64, ()),
    "y": (np.float64, ()),
    "heading": (np.float64, ()),
    "distance_from_center": (np.float64, ()),
    "projection_distance": (np.float64, ()),
    "progress": (np.float64, ()),
    "speed": (np.float64, ()),
    "steering_angle": (np.float64, ()),
    "sim_time": (np.float64, ()),
    "steps": (np.int64, ()),
    "closest_waypoints": (np.int64, (2,)),
    "closest_objects": (np.int64, (2,)),
}
# The same of what there is one of for each object: the shape after the axes of cars and objects.
OBJECT_ARRAY_KEYS: dict[str, tuple[type, tuple[int, ...]]] = {
    "objects_location": (np.float64, (2,)),
    "objects_left_of_center": (np.bool_, ()),
    "objects_speed": (np.float64, ()),
    "objects_heading": (np.float64, ()),
    "objects_distance_from_center": (np.float64, ()),
    "objects_distance": (np.float64, ()),
}
OBJECT_KEYS = tuple(OBJECT_ARRAY_KEYS)
Waypoints = tuple[tuple[float, float], ...]


@dataclass
class ParamArrays:
    """The reward's parameters of all cars, first axis the car.

    Metres, m/s, degrees (heading -180..180), seconds, percent. `is_reversed` cars drive against the route's direction
    and see its waypoints in reverse order.

    The objects_* arrays have a second axis, the object: boxes, bots, other racers; its length is 0 in a time trial.
    objects_location (cars, objects, 2): x, y. objects_distance: along the centre line in the driving direction.
    objects_heading: degrees -180..180, 0 for what stands still. closest_objects: [behind, ahead] of the car, indices.
    """

    all_wheels_on_track: np.ndarray
    is_left_of_center: np.ndarray
    is_reversed: np.ndarray
    is_crashed: np.ndarray
    is_offtrack: np.ndarray
    object_in_camera: np.ndarray
    x: np.ndarray
    y: np.ndarray
    heading: np.ndarray
    distance_from_center: np.ndarray
    projection_distance: np.ndarray
    progress: np.ndarray
    speed: np.ndarray
    steering_angle: np.ndarray
    sim_time: np.ndarray
    steps: np.ndarray
    closest_waypoints: np.ndarray
    closest_objects: np.ndarray
    objects_location: np.ndarray
    objects_left_of_center: np.ndarray
    objects_speed: np.ndarray
    objects_heading: np.ndarray
    objects_distance_from_center: np.ndarray
    objects_distance: np.ndarray
    track_width: float
    track_length: float
    waypoints: Waypoints
    reversed_waypoints: Waypoints

    @classmethod
    def allocate(
        cls,
        track: Track,
        cars: int,
        empty: Callable[[str, tuple[int, ...], type], np.ndarray] | None = None,
        objects: int = 0,
    ) -> "ParamArrays":
        """Arrays for `cars` cars on `track`, each with so many objects, all zero; `empty(key, shape, dtype)` may place
        them elsewhere."""
        make = empty or (lambda key, shape, dtype: np.zeros(shape, dtype))
        specs = array_keys(objects)
        arrays = {key: make(key, (cars, *rest), dtype) for key, (dtype, rest) in specs.items()}
        return cls(
            **arrays,
            track_width=track.width,
            track_length=track.length,
            waypoints=track.waypoints,
            reversed_waypoints=track.waypoints[::-1],
        )

    @property
    def cars(self) -> int:
        return len(self.x)

    @property
    def objects(self) -> int:
        """Objects that each car meets."""
        return self.objects_speed.shape[1]

    def waypoints_of(self, car: int) -> Waypoints:
        """The waypoints in the order in which this car passes them; closest_waypoints are indices into these."""
        return self.reversed_waypoints if self.is_reversed[car] else self.waypoints

    def copy_from(self, other: "ParamArrays") -> None:
        """Take over all cars' values of other arrays of the same numbers of cars and objects."""
        for key in (*ARRAY_KEYS, *OBJECT_ARRAY_KEYS):
            getattr(self, key)[...] = getattr(other, key)


def array_keys(objects: int) -> dict[str, tuple[type, tuple[int, ...]]]:
    """All arrays of a ParamArrays with so many objects: key -> (dtype, shape after the cars' axis)."""
    return ARRAY_KEYS | {key: (dtype, (objects, *rest)) for key, (dtype, rest) in OBJECT_ARRAY_KEYS.items()}


ALL_KEYS = (*ARRAY_KEYS, "track_width", "track_length", "waypoints", *OBJECT_KEYS)


def params_dict(values: ParamArrays, car: int, keys: Iterable[str] | None = None) -> dict[str, Any]:
    """The dictionary for one car's `reward_function(params)` as plain Python values, the caller's to keep.

    keys: only these (all when None). Raises KeyError for a name that DeepRacer does not have.
    """
    return {key: _python_value(values, car, key) for key in (ALL_KEYS if keys is None else keys)}


def _python_value(values: ParamArrays, car: int, key: str) -> Any:
    if key in ARRAY_KEYS:
        array = getattr(values, key)
        return array.item(car) if array.ndim == 1 else array[car].tolist()
    if key == "waypoints":
        return list(values.waypoints_of(car))
    if key == "objects_location":
        return [(x, y) for x, y in values.objects_location[car].tolist()]
    if key in OBJECT_KEYS:
        return getattr(values, key)[car].tolist()
    if key in ("track_width", "track_length"):
        return getattr(values, key)
    raise KeyError(key)
