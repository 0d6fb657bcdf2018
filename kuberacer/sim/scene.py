"""What else is on the track: boxes, bot cars, other racers; where they stand at an episode's beginning."""

from dataclasses import dataclass

import numpy as np

from kuberacer.errors import UserError
from kuberacer.sim.track import Track

KINDS = ("box_obstacle", "deepracer_box_obstacle", "amazon_box_obstacle", "bot_car", "racer")  # OBJECT's `kind`
BOX_KINDS = KINDS[:3]
BOX_LENGTH, BOX_WIDTH, BOX_HEIGHT = 0.4, 0.3, 0.25  # m
BOX_MARGIN = 0.05  # m around a box where a car has hit it: 0.5 x 0.4 m, as in DeepRacer's simulator
CAR_LENGTH, CAR_WIDTH, CAR_HEIGHT = 0.324, 0.196, 0.125
OUTER, INNER = -1, 1  # lanes, as OBJECT_POSITIONS writes them
AFTER_THE_LAST = 1.0  # m that stay free before the end of the lap, as in DeepRacer's simulator
# DeepRacer's CAR_COLOR, as RGB.
CAR_COLORS = {
    "Black": (40, 40, 44),
    "Grey": (128, 130, 134),
    "Blue": (32, 84, 188),
    "Red": (196, 44, 40),
    "Orange": (240, 132, 24),
    "White": (232, 232, 228),
    "Purple": (120, 60, 160),
}
Place = tuple[float, int]  # fraction of the lap in the driving direction, lane


@dataclass(frozen=True)
class Boxes:
    """Obstacles that stand still. places: given ones; the others are spread evenly, in turns on the inner and the outer
    lane. random: new places each episode for all but the given ones. spacing: metres along the centre line that stay
    between two at least."""

    count: int = 0
    kind: str = "box_obstacle"
    places: tuple[Place, ...] = ()
    random: bool = False
    spacing: float = 2.0


@dataclass(frozen=True)
class Bots:
    """Cars that drive along their lanes at a constant speed; with speed 0 they are obstacles.

    lane_change_every: seconds between two changes of lane, drawn from this range; lane_change_distance: metres that one
    takes."""

    count: int = 0
    speed: float = 0.2
    places: tuple[Place, ...] = ()
    random: bool = False
    spacing: float = 2.0
    lane_change: bool = False
    lane_change_every: tuple[float, float] = (3.0, 5.0)
    lane_change_distance: float = 1.0


@dataclass(frozen=True)
class Scene:
    """together: so many cars share a track: cars 0 … together-1, the next ones another copy of it, and so on."""

    boxes: Boxes = Boxes()
    bots: Bots = Bots()
    together: int = 1

    @property
    def objects(self) -> int:
        """Objects that a car meets: boxes, bots and the other racers, in this order."""
        return self.boxes.count + self.bots.count + self.together - 1

    def check(self, track: Track) -> None:
        """Raises UserError for what does not fit on the track or contradicts itself."""
        if self.together < 1:
            raise UserError(f"{self.together} cars on one track", "give at least 1")
        boxes, bots = self.boxes, self.bots
        if boxes.kind not in BOX_KINDS:
            raise UserError(f"a box of the kind {boxes.kind!r}", f"use one of {', '.join(BOX_KINDS)}")
        for name, things in (("boxes", boxes), ("bots", bots)):
            if things.count < 0 or not things.spacing > 0.0:
                raise UserError(
                    f"{things.count} {name} at least {things.spacing:g} m apart", "give a count and a distance above 0"
                )
            layout(things, track, name)
        if boxes.count and bots.count and bots.speed > 0.0:
            raise UserError("bots would drive through the boxes", "use either boxes or moving bots")
        self._check_bots()
        self._check_way(track)

    def _check_bots(self) -> None:
        bots = self.bots
        if not 0.0 <= bots.speed <= 4.0:
            raise UserError(f"bots at {bots.speed:g} m/s", "give 0 to 4 m/s")
        low, high = bots.lane_change_every
        if not 0.0 <= low <= high:
            raise UserError(f"bots change lane every {low:g} to {high:g} s", "give the shorter time first, at least 0")
        if not bots.lane_change_distance > 0.0:
            raise UserError(f"bots change lane within {bots.lane_change_distance:g} m", "give a distance above 0")

    def _check_way(self, track: Track) -> None:
        """A car has to get by beside each object."""
        for name, count, width in (("boxes", self.boxes.count, BOX_WIDTH), ("bots", self.bots.count, CAR_WIDTH)):
            if count and 0.75 * track.width - 0.5 * width - BOX_MARGIN < CAR_WIDTH:
                raise UserError(
                    f"{name} leave no way through on track {track.name}, which is {track.width:.2f} m wide",
                    "choose a wider track or a race type without them",
                )


@dataclass(frozen=True, eq=False)
class Layout:
    """Where things stand before chance moves them, by their distance: metres along the centre line in the driving
    direction, lanes OUTER or INNER, given (n,) bool: chance does not move these. low, high: where the others may be."""

    distance: np.ndarray
    lane: np.ndarray
    given: np.ndarray
    low: float
    high: float


def layout(things: Boxes | Bots, track: Track, name: str = "objects") -> Layout:
    """Raises UserError when so many do not fit, naming them."""
    low, high = things.spacing, track.length - AFTER_THE_LAST
    if len(things.places) > things.count:
        raise UserError(f"{len(things.places)} places for {things.count} {name}", "give at most one place each")
    taken = [_given(place, track, name) for place in things.places]
    if taken and track.closed:
        low = max(low, max(taken)[0] + things.spacing - track.length)
        high = min(high, min(taken)[0] - things.spacing + track.length)
    rest = things.count - len(taken)
    free = _even(rest, low, high, things.spacing) if not taken else _between(rest, taken, low, high, things.spacing)
    if free is None:
        raise UserError(
            f"{things.count} {name} at least {things.spacing:g} m apart do not fit on track {track.name}, whose lap is"
            f" {track.length:.1f} m",
            f"give at most {_most(things, track)} {name}, or a smaller distance",
        )
    lanes = [INNER if number % 2 == 0 else OUTER for number in range(rest)]
    rows = sorted(
        [(at, lane, True) for at, lane in taken] + [(at, lane, False) for at, lane in zip(free, lanes, strict=True)]
    )
    for lane in (OUTER, INNER):
        _check_apart([at for at, beside, _ in rows if beside == lane], track, name)
    return Layout(
        np.array([at for at, _, _ in rows], np.float64),
        np.array([lane for _, lane, _ in rows], np.float64),
        np.array([given for _, _, given in rows], np.bool_),
        low,
        max(high, low),
    )


def _check_apart(distances: list[float], track: Track, name: str) -> None:
    """Things on one lane, in order, do not stand in each other; on a loop neither do the last and the first."""
    after = [*distances[1:], *([distances[0] + track.length] if track.closed and len(distances) > 1 else [])]
    for one, other in zip(distances, after, strict=False):
        if other - one < BOX_LENGTH + 2 * BOX_MARGIN:
            raise UserError(
                f"two {name} stand in each other at {one / track.length:.3f} and {other / track.length:.3f} of the lap",
                "move one of them, or put it on the other lane",
            )


def _given(place: Place, track: Track, name: str) -> tuple[float, int]:
    fraction, lane = place
    if not 0.0 <= fraction <= 1.0 or lane not in (OUTER, INNER):
        raise UserError(
            f"{name} at {fraction:g},{lane} of the lap",
            "give a fraction of the lap from 0 to 1 and a lane: -1 outer, 1 inner",
        )
    return fraction * track.length, lane


def _even(count: int, low: float, high: float, spacing: float) -> list[float] | None:
    """As DeepRacer's simulator spreads them; None when they do not fit."""
    if count and high - low < (count - 1) * spacing - 1e-9:
        return None
    return np.linspace(low, high, count).tolist() if count != 1 else [low]


def _between(count: int, taken: list[tuple[float, int]], low: float, high: float, spacing: float) -> list[float] | None:
    """One after the other in the middle of the largest gap."""
    found: list[float] = []
    for _ in range(count):
        at = sorted([distance for distance, _ in taken] + found)
        ends = [low, *(distance + spacing for distance in at)], [*(distance - spacing for distance in at), high]
        room, start = max((end - begin, begin) for begin, end in zip(*ends, strict=True))
        if room < 0.0:
            return None
        found.append(start + 0.5 * room)
    return found


def _most(things: Boxes | Bots, track: Track) -> int:
    room = track.length - AFTER_THE_LAST - things.spacing
    return max(int(room / things.spacing + 1e-9) + 1, 0) if room >= 0.0 else 0
