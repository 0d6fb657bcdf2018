"""The boxes, bots and other racers of all cars: the kernels' arrays."""

from collections.abc import Callable, Sequence

import numpy as np

from kuberacer.errors import UserError
from kuberacer.sim import bot_kernels, object_kernels
from kuberacer.sim.episode import SimConfig
from kuberacer.sim.geometry import RouteTables
from kuberacer.sim.params import ParamArrays
from kuberacer.sim.scene import (
    BOX_HEIGHT,
    BOX_KINDS,
    BOX_LENGTH,
    BOX_WIDTH,
    CAR_COLORS,
    CAR_HEIGHT,
    CAR_LENGTH,
    CAR_WIDTH,
    KINDS,
    layout,
)  # fmt: skip
from kuberacer.sim.solid_kernels import OBJECT
from kuberacer.sim.step_kernels import FRONT
from kuberacer.sim.track import Track

BOX_GREYS = (167, 40, 168)  # of BOX_KINDS; the dark one stands out from the road (62) on its shaded sides, too
BOT_GREY = 185
LUMA = (0.299, 0.587, 0.114)
GRID = 0.75  # m between the starts of cars that share a track


class Objects:
    """rows (cars, K) OBJECT: boxes, bots, then the other racers of the car's group, K of each car; see sim.objects.

    absent (cars,) bool, to be written by whoever runs a race: cars that are not on the track for the others. hit
    (cars,): index of the object that the car has crashed into, -1 for none."""

    def __init__(self, track: Track, cars: int, config: SimConfig, values: ParamArrays, colors: Sequence[str] = ()):
        scene = config.scene
        scene.check(track)
        self.track, self.tables, self.together, self.values = track, RouteTables.of(track), scene.together, values
        if cars % self.together:
            raise ValueError(f"{cars} cars cannot share tracks by {self.together}")
        if self.together > 1 and config.alternate_direction:
            raise UserError(
                "cars that share a track cannot change direction every episode, each by itself",
                "leave ALTERNATE_DRIVING_DIRECTION away, or race one model",
            )
        boxes, bots = layout(scene.boxes, track, "boxes"), layout(scene.bots, track, "bots")
        self.rows = np.zeros((cars, scene.objects), OBJECT)
        self.bots = np.zeros((cars, scene.bots.count), bot_kernels.BOT)
        self.absent, self.hit = np.zeros(cars, np.bool_), np.full(cars, -1, np.int64)
        box = KINDS.index(scene.boxes.kind) if scene.boxes.count else 0
        greys = [BOX_GREYS[box]] * scene.boxes.count + [BOT_GREY] * scene.bots.count
        self.plan = np.array(
            [np.append(getattr(boxes, key), getattr(bots, key)) for key in ("distance", "lane", "given")] + [greys]
        )
        self.chances = np.array(
            [
                [where.low, where.high, things.spacing, things.random]
                for where, things in ((boxes, scene.boxes), (bots, scene.bots))
            ],
            np.float64,
        )
        low, high = scene.bots.lane_change_every
        changes = scene.bots.lane_change and scene.bots.speed > 0.0
        self.rules = np.array(
            [scene.bots.speed, changes, low, high, scene.bots.lane_change_distance, config.randomization], np.float64
        )
        segment, border = self.tables.segments[0, 0], self.tables.borders[0, 0]
        turned = segment[2] * (border[1] - border[3]) - segment[3] * (border[0] - border[2])
        # Of the driving direction: 1 where the inner border is on the left.
        self.inner_side = np.copysign(1.0, turned) * (-1.0 if config.reverse_direction else 1.0)
        self._shape(self.rows[:, : scene.boxes.count], box)
        self._shape(self.rows[:, scene.boxes.count : self.static], KINDS.index("bot_car"))
        self.rows[:, scene.boxes.count : self.static]["speed"] = scene.bots.speed
        self._shape(self.rows[:, self.static :], KINDS.index("racer"))
        self._paint(colors)

    @property
    def static(self) -> int:
        """How many boxes and bots there are."""
        return self.plan.shape[1]

    def _shape(self, rows: np.ndarray, kind: int) -> None:
        sizes = (CAR_LENGTH, CAR_WIDTH, CAR_HEIGHT)
        if kind < len(BOX_KINDS):
            sizes = (BOX_LENGTH, BOX_WIDTH, BOX_HEIGHT)
        rows["half_length"], rows["half_width"], rows["height"] = 0.5 * sizes[0], 0.5 * sizes[1], sizes[2]
        rows["kind"] = kind

    def _paint(self, colors: Sequence[str]) -> None:
        """The other racers' greys, by the names of all cars' colours."""
        names = [colors[i % len(colors)] if colors else "Black" for i in range(len(self.rows))]
        greys = np.array([np.dot(LUMA, CAR_COLORS[name]) for name in names])
        for i in range(len(self.rows)):
            first = i // self.together * self.together
            self.rows[i, self.static :]["grey"] = np.delete(greys[first : first + self.together], i - first)

    def whole_groups(self, mask: np.ndarray) -> np.ndarray:
        """Those of the masked cars whose whole group is masked."""
        return mask.reshape(-1, self.together).all(axis=1).repeat(self.together)

    def groups_of(self, mask: np.ndarray) -> np.ndarray:
        """The masked cars and all that share their tracks."""
        return mask if self.together == 1 else mask.reshape(-1, self.together).any(axis=1).repeat(self.together)

    def line_up(self, cars: np.ndarray, places: np.ndarray) -> None:
        """Move the starts of cars (n,) that share a track one behind the other, on the outer and inner lane in turns;
        on an open track the last one starts where a single car would."""
        if self.together > 1:
            number = cars % self.together
            if self.track.closed:
                places[0, cars] = (places[0, cars] - GRID * number) % self.track.length
            else:
                places[0, cars] = np.maximum(places[0, cars], FRONT) + GRID * (self.together - 1 - number)
            places[1, cars] = np.where(number % 2 == 0, -0.25, 0.25) * self.track.width * self.inner_side

    def behind_line(self, cars: np.ndarray) -> np.ndarray:
        """Metres (n,) that cars (n,) start behind the start line of a loop, where their lap begins."""
        return GRID * (cars % self.together) if self.track.closed else np.zeros(len(cars))

    def fall_back(self, mask: np.ndarray, places: np.ndarray, behind: float) -> None:
        """Move the places of cars that have crashed, or have a box or a standing bot within BESIDE metres along the
        centre line, to `behind` metres behind it on the other lane."""
        length = self.track.length
        for i in np.flatnonzero(mask).tolist():
            row, k = self.rows[i], int(self.hit[i])
            if k < 0:
                gap = np.abs(row["distance"] - places[0, i])
                gap = np.minimum(gap, length - gap) if self.track.closed else gap
                gap[(row["speed"] > 0.0) | (np.arange(len(row)) >= self.static)] = np.inf
                k = int(np.argmin(gap))
                if not gap[k] < object_kernels.BESIDE:
                    continue
            at = row["distance"][k] - behind
            places[0, i] = at % length if self.track.closed else max(at, FRONT)
            places[1, i] = -np.copysign(0.25 * self.track.width, row["offset"][k])

    def begin(self, mask: np.ndarray, cars: np.ndarray, seed: int) -> None:
        """Place the boxes and bots of the groups that begin anew."""
        self.absent[mask] = False
        if self.static:
            bot_kernels.place_objects(
                self.whole_groups(mask), cars, self.rows, self.bots, seed, self.together, self.plan, self.chances,
                self.rules, self.tables.segments, self.tables.borders, self.track.closed, self.track.length,
            )  # fmt: skip

    def clear(self, mask: np.ndarray, cars: np.ndarray, places: np.ndarray, *, walk: float, aside: bool) -> None:
        """Move cars' places away from objects; see clear_places."""
        object_kernels.clear_places(
            mask, cars, self.rows, self.together, self.tables.segments, self.track.closed, self.track.length,
            0.25 * self.track.width, places, walk, aside,
        )  # fmt: skip

    def meeting(
        self, cars: np.ndarray, lenses: np.ndarray, cameras: np.ndarray, flags: np.ndarray, status: np.ndarray,
        ended: np.ndarray,
    ) -> Callable[[np.ndarray, bool], tuple]:  # fmt: skip
        """Arguments of meet_objects after its range of cars, by (mask, step)."""
        values = self.values
        rest = (
            cars, self.rows, self.bots, self.absent, self.together, self.rules,
            self.tables.segments, self.tables.borders, self.track.closed, self.track.length, lenses, cameras,
            values.objects_location, values.objects_left_of_center, values.objects_speed, values.objects_heading,
            values.objects_distance_from_center, values.objects_distance, values.closest_objects,
            flags, self.hit, status, ended,
        )  # fmt: skip
        return lambda mask, step: (mask, step, *rest)
