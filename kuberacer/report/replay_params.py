"""From the steps of a sim trace back to what the reward function was told at each of them.

A trace holds position, heading, progress, time, the action and the waypoint ahead; the rest follows from the track.
Where boxes or bots stood follows from the race when they stand in the same places in every episode; otherwise nothing
that has to do with objects can be told.
"""

import numpy as np

from kuberacer.coach.metadata import ModelMetadata
from kuberacer.errors import UserError
from kuberacer.formats.trace_columns import pieces
from kuberacer.sim.episode import SimConfig
from kuberacer.sim.geometry import RouteTables
from kuberacer.sim.params import ARRAY_KEYS, OBJECT_ARRAY_KEYS, ParamArrays
from kuberacer.sim.race_sim import RaceSim
from kuberacer.sim.road_kernels import LENGTH, START, TANGENT_X, TANGENT_Y, X0, Y0
from kuberacer.sim.step_kernels import MAX_SPEED, MAX_STEERING_DEG, POLICY_STEP
from kuberacer.sim.track import Track

OF_OBJECTS = (*OBJECT_ARRAY_KEYS, "closest_objects", "object_in_camera")
SAME_TIME, SAME_LENGTH = 1e-3, 6e-3  # s and m: what the trace's last digits leave open
ALMOST = 100.0 - 5e-5  # percent: a lap that is not complete may be written as 100.0000
BATCH = 1024  # cars of the simulator that is asked what cameras see
HEADING_WEIGHT = 1e-3  # m: decides between directions that the waypoints cannot tell apart


class TracedSteps:
    """What the reward was told at the steps (n,) of a trace.

    missing: keys that the trace does not tell, with the reason. episode: (n,) number of the episode, from 0, in order
    of appearance. Raises UserError when the trace is not of this track.
    """

    def __init__(self, table: np.ndarray, track: Track, rules: SimConfig, metadata: ModelMetadata):
        """table: steps of COLUMNS in the order in which they were driven. rules, metadata: of the training."""
        self.table, self.track, self.rules = table, track, rules
        self.tables, self.episode = RouteTables.of(track), pieces(table)
        self._check()
        self.direction = self._directions()
        self.values = ParamArrays.allocate(track, len(table))
        self._fill(metadata)
        self.missing: dict[str, str] = {}
        self._scene = ParamArrays.allocate(track, 2, objects=rules.scene.objects)  # by direction
        if rules.scene.objects:
            self._find_objects()

    @property
    def objects(self) -> int:
        """How many objects each car met."""
        return self.rules.scene.objects

    def batch(self, into: ParamArrays, index: np.ndarray, keys: list[str]) -> None:
        """Write some keys of the steps (cars,) of that index into the arrays of so many cars."""
        for key in keys:
            if key in ARRAY_KEYS:
                getattr(into, key)[...] = getattr(self.values, key)[index]
            else:
                getattr(into, key)[...] = getattr(self._scene, key)[self.direction[index]]

    def _check(self) -> None:
        table, track = self.table, self.track
        remedy = "give traces together with the track that they were driven on"
        if len(table) == 0:
            raise UserError("the traces hold no step", "give a run that has finished an iteration")
        lengths = table["track_len"][np.abs(table["track_len"] - track.length) > SAME_LENGTH]
        if len(lengths):
            raise UserError(
                f"the traces are of a track of {lengths[0]:.3f} m, {track.name} has {track.length:.3f} m", remedy
            )
        beyond = (table["closest_waypoint"] < 0) | (table["closest_waypoint"] >= len(track.waypoints))
        if beyond.any():
            raise UserError(
                f"the traces name waypoint {table['closest_waypoint'][beyond][0]}, {track.name} has "
                f"{len(track.waypoints)}", remedy
            )  # fmt: skip

    def _segments(self, direction: np.ndarray | int) -> np.ndarray:
        """(n, 6) the segments of the centre line that the recorded waypoints name."""
        count = self.tables.segments.shape[1]
        return self.tables.segments[direction, (self.table["closest_waypoint"] - 1) % count]

    def _place(self, direction: np.ndarray | int) -> tuple[np.ndarray, np.ndarray]:
        """(metres along the centre line, metres beside it, left positive), (n,) each."""
        segment = self._segments(direction)
        dx, dy = self.table["x"] - segment[:, X0], self.table["y"] - segment[:, Y0]
        along = dx * segment[:, TANGENT_X] + dy * segment[:, TANGENT_Y]
        left = segment[:, TANGENT_X] * dy - segment[:, TANGENT_Y] * dx
        along = np.clip(along, 0.0, segment[:, LENGTH])
        dx -= along * segment[:, TANGENT_X]
        dy -= along * segment[:, TANGENT_Y]
        return segment[:, START] + along, np.copysign(np.hypot(dx, dy), left)

    def _directions(self) -> np.ndarray:
        """(n,) 0: as the route is written, 1: the other way.

        Where episodes alternate, it is the direction in whose order the recorded waypoints lie beside the car.
        """
        if not self.rules.alternate_direction:
            return np.full(len(self.table), int(self.rules.reverse_direction))
        misfit = []
        for direction in (0, 1):
            segment, heading = self._segments(direction), np.radians(self.table["yaw"])
            ahead = np.cos(heading) * segment[:, TANGENT_X] + np.sin(heading) * segment[:, TANGENT_Y]
            away = np.abs(self._place(direction)[1]) - HEADING_WEIGHT * ahead
            misfit.append(np.bincount(self.episode, away) / np.bincount(self.episode))
        return np.argmin(misfit, axis=0)[self.episode]

    def _fill(self, metadata: ModelMetadata) -> None:
        table, values = self.table, self.values
        status = table["episode_status"]
        distance, offset = self._place(self.direction)
        values.x[:], values.y[:], values.heading[:] = table["x"], table["y"], table["yaw"]
        values.projection_distance[:], values.distance_from_center[:] = distance, np.abs(offset)
        values.is_left_of_center[:] = offset > 0.0
        values.is_reversed[:] = self.direction == 1
        values.all_wheels_on_track[:] = table["all_wheels_on_track"]
        values.is_offtrack[:], values.is_crashed[:] = status == "off_track", status == "crashed"
        on_the_way = (status == "in_progress") & (table["progress"] >= 100.0)
        values.progress[:] = np.where(on_the_way, ALMOST, table["progress"])
        values.steps[:] = table["steps"]
        # As the simulator's clock adds it up.
        clock = np.cumsum(np.full(max(int(table["steps"].max()), 1), POLICY_STEP))[np.maximum(table["steps"], 1) - 1]
        values.sim_time[:] = np.where(np.abs(clock - table["tstamp"]) < SAME_TIME, clock, table["tstamp"])
        values.closest_waypoints[:, 1] = table["closest_waypoint"]
        values.closest_waypoints[:, 0] = table["closest_waypoint"] - 1
        # The trace has two decimals of the commands, the action has all.
        steering, speed = metadata.decode(self._actions(metadata))
        values.steering_angle[:] = np.clip(steering.astype(np.float64), -MAX_STEERING_DEG, MAX_STEERING_DEG)
        values.speed[:] = np.clip(speed.astype(np.float64), 0.0, MAX_SPEED)

    def _actions(self, metadata: ModelMetadata) -> np.ndarray:
        given = self.table["action"]
        if metadata.continuous and not np.isnan(given).any():
            return given
        if not metadata.continuous and np.isnan(given[:, 1]).all():
            actions = given[:, 0].astype(np.int64)
            if actions.min() >= 0 and actions.max() < len(metadata.action_space):  # type: ignore[arg-type]
                return actions
        raise UserError("the traces hold actions that the model's metadata does not have", "give a run's own metadata")

    def _find_objects(self) -> None:
        reason = _moving(self.rules)
        if reason:
            self.missing = dict.fromkeys(OF_OBJECTS, reason)
            return
        if self.rules.randomization:
            self.missing["object_in_camera"] = "domain randomisation moves the camera in each episode"
        for direction in (0, 1):
            rules = SimConfig(start="line", scene=self.rules.scene, reverse_direction=direction == 1)
            sim = RaceSim(self.track, BATCH, config=rules)
            sim.reset()
            for key in OBJECT_ARRAY_KEYS:
                getattr(self._scene, key)[direction] = getattr(sim.values, key)[0]
            self._look(sim, np.flatnonzero(self.direction == direction))

    def _look(self, sim: RaceSim, steps: np.ndarray) -> None:
        """Take over what the simulator says of cars that stand where they were at these steps."""
        values, seen = self.values, sim.values
        for first in range(0, len(steps), BATCH):
            rows = steps[first : first + BATCH]
            padded = np.resize(rows, BATCH)
            sim.place(values.x[padded], values.y[padded], values.heading[padded])
            values.closest_objects[rows] = seen.closest_objects[: len(rows)]
            values.object_in_camera[rows] = seen.object_in_camera[: len(rows)]
            # A car that crashes off the road is written as crashed.
            values.is_offtrack[rows] |= values.is_crashed[rows] & seen.is_offtrack[: len(rows)]


def _moving(rules: SimConfig) -> str:
    """Why objects were not in the same places all the time; "" when they were."""
    scene = rules.scene
    if scene.together > 1:
        return "the other racers drive"
    if scene.bots.count and scene.bots.speed > 0.0:
        return "the bots drive"
    for name, things in (("boxes", scene.boxes), ("bots", scene.bots)):
        if things.random and len(things.places) < things.count:
            return f"the {name} stand elsewhere in each episode"
    return ""
