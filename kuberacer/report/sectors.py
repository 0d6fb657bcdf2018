"""Sectors of a track: equal parts of its centre line, and the time and way that cars spent in each."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree

from kuberacer.report.training_steps import Steps
from kuberacer.sim.track import Track

SECTORS = 6
GRAIN = 0.02  # m between the points that a place is looked up among
BEND = 30.0  # degrees that a sector turns, from which on it is called a bend


@dataclass(frozen=True)
class Passage:
    """What some driving spent in each sector, (…, SECTORS). seconds: simulated; metres: driven; along: metres gained
    along the centre line, in either direction."""

    seconds: np.ndarray
    metres: np.ndarray
    along: np.ndarray

    @property
    def speed(self) -> np.ndarray:
        """m/s, standing included; NaN where no time was spent."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self.seconds > 0, self.metres / self.seconds, np.nan)

    def pace(self, length: float) -> np.ndarray:
        """Seconds for a whole sector of `length` metres at the mean pace of all steps there, also of unfinished laps;
        NaN where less than half of a sector was driven."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self.along > 0.5 * length, self.seconds / self.along * length, np.nan)


class Sectors:
    """A track's sectors, numbered from the start line in the route's direction."""

    def __init__(self, track: Track):
        route = track.route()[:, :2]
        gone = np.append(0.0, np.cumsum(np.hypot(*np.diff(route, axis=0).T)))
        self.closed, self.total = track.closed, float(gone[-1])
        self.length = self.total / SECTORS
        self._at = np.linspace(0.0, self.total, max(2, round(self.total / GRAIN)), endpoint=not track.closed)
        self.points = np.stack([np.interp(self._at, gone, route[:, k]) for k in (0, 1)], axis=1)
        self._tree = KDTree(self.points)
        self.names = [f"{number + 1} {self._shape(number)}" for number in range(SECTORS)]

    def place(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """(n,) metres along the centre line of the nearest point of it."""
        return self._at[self._tree.query(np.stack([x, y], axis=1))[1]]

    def of(self, place: np.ndarray) -> np.ndarray:
        """(n,) sectors, from 0."""
        return np.minimum((place / self.length).astype(int), SECTORS - 1)

    def _shape(self, number: int) -> str:
        line = self.points[self.of(self._at) == number]
        step = np.diff(line[:: max(1, len(line) // 50)], axis=0)
        turns = np.rad2deg(np.diff(np.unwrap(np.arctan2(step[:, 1], step[:, 0]))))
        left, right = turns[turns > 0].sum(), -turns[turns < 0].sum()
        if max(left, right) < BEND:
            return "straight"
        if min(left, right) >= BEND:
            return "left and right"
        return "left" if left > right else "right"

    def passage(
        self,
        x: np.ndarray,
        y: np.ndarray,
        seconds: np.ndarray,
        begins: np.ndarray,
        lap: np.ndarray | None = None,
        resets: np.ndarray | None = None,
    ) -> Passage:
        """What the steps (n,) spent where. A step that crosses from a sector into its neighbour is shared between
        them at the border; any other one counts where it ends, so that the seconds' sum is the steps'.

        x, y: where each step ended; begins: nothing is known of the step before; resets: the car was put back before
        it, which is no way; lap (n,): numbers from 0, the first axis of what is returned; without them it has none.
        """
        place = self.place(x, y)
        earlier = np.where(begins, place, np.roll(place, 1))
        driven = np.where(begins, 0.0, np.hypot(x - np.roll(x, 1), y - np.roll(y, 1)))
        if resets is not None:
            driven[resets] = 0.0
        move = place - earlier
        if self.closed:
            move -= self.total * np.round(move / self.total)
        before, now = self.of(earlier), self.of(place)
        ahead = (now - before) % SECTORS if self.closed else now - before
        forward, backward = ahead == 1, ahead == (SECTORS - 1 if self.closed else -1)
        beyond = np.where(forward, place - now * self.length, (now + 1) * self.length - place)  # m behind the border
        share = np.ones(len(place))
        crossing = (forward | backward) & (np.abs(move) > 0)
        share[crossing] = np.clip(beyond[crossing] / np.abs(move[crossing]), 0.0, 1.0)
        laps = np.zeros(len(place), int) if lap is None else lap
        count = int(laps.max(initial=0)) + 1

        def total(values: np.ndarray) -> np.ndarray:
            size = count * SECTORS
            found = np.bincount(laps * SECTORS + now, values * share, size)
            found += np.bincount(laps * SECTORS + before, values * (1 - share), size)
            return found.reshape(count, SECTORS) if lap is not None else found

        return Passage(total(seconds), total(driven), total(np.where(driven > 0, np.abs(move), 0.0)))


def fastest_passage(sectors: Sectors, lap: np.ndarray) -> Passage:
    """Of the fastest possible lap, (n, 4): x, y, m/s, s."""
    begins = np.arange(len(lap)) == 0
    return sectors.passage(lap[:, 0], lap[:, 1], np.diff(lap[:, 3], prepend=0.0), begins)


def trial_passages(sectors: Sectors, steps: Steps, continuous: bool) -> Passage:
    """Of an evaluation's trials, (trials, SECTORS). continuous: a lap begins where the one before has ended, by one
    clock; else each begins at rest, with a clock of its own. The seconds' sums are the trials' times."""
    clock = steps.table["tstamp"]
    first = np.diff(steps.episode, prepend=-1) != 0
    begins = np.arange(len(steps)) == 0 if continuous else first
    seconds = np.where(begins, clock, np.diff(clock, prepend=0.0))
    return sectors.passage(steps.table["x"], steps.table["y"], seconds, begins, steps.episode, steps.resets)


SECTOR_HEADER = ["sector", "from, to", "training's end", "trials, mean", "best trial", "fastest possible", "lost"]


@dataclass(frozen=True)
class SectorTimes:
    """Seconds and mean speed by sector, (SECTORS,) each; None where there was no such driving. lap: the best trial is
    a whole one, so that it can be compared with the fastest possible."""

    sectors: Sectors
    training: tuple[np.ndarray, np.ndarray] | None = None
    trials: tuple[np.ndarray, np.ndarray] | None = None
    best: tuple[np.ndarray, np.ndarray] | None = None
    fastest: tuple[np.ndarray, np.ndarray] | None = None
    lap: bool = True

    @property
    def columns(self) -> list[tuple[str, tuple[np.ndarray, np.ndarray] | None]]:
        return list(zip(SECTOR_HEADER[2:6], (self.training, self.trials, self.best, self.fastest), strict=True))

    def speeds(self) -> list[tuple[str, np.ndarray]]:
        """For sector_map."""
        return [(name, of[1]) for name, of in self.columns if of is not None]

    def table(self) -> list[list[str]]:
        """Rows under SECTOR_HEADER, the last one the whole lap's."""
        length, rows = self.sectors.length, []
        for number, name in enumerate(self.sectors.names):
            cells = [name, f"{number * length:.1f} to {(number + 1) * length:.1f} m"]
            cells += [
                "" if of is None or not of[0][number] > 0 else f"{of[0][number]:.2f} s, {of[1][number]:.2f} m/s"
                for _, of in self.columns
            ]
            rows.append([*cells, self._lost(number)])
        sums = ["" if of is None or np.isnan(of[0]).any() else f"{of[0].sum():.2f} s" for _, of in self.columns]
        return [*rows, ["lap", f"{self.sectors.total:.1f} m", *sums, self._lost(slice(None))]]

    def _lost(self, part: int | slice) -> str:
        if self.best is None or self.fastest is None or not self.lap:
            return ""
        return f"{np.sum(self.best[0][part]) - np.sum(self.fastest[0][part]):+.2f} s"


def sector_times(
    sectors: Sectors,
    training: Steps | None = None,
    trials: Steps | None = None,
    best: int = 0,
    completed: np.ndarray | None = None,
    continuous: bool = False,
    fastest: np.ndarray | None = None,
) -> SectorTimes:
    """training: steps whose mean pace counts. trials: an evaluation's, best: which of them is; completed (trials,):
    whose mean is taken, all where none is. fastest (n, 4): the fastest possible lap, x, y, m/s, s."""
    found: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    if training is not None and len(training):
        table = training.table
        passage = sectors.passage(table["x"], table["y"], training.seconds, training.begins, None, training.resets)
        found["training"] = passage.pace(sectors.length), passage.speed
    if trials is not None and len(trials):
        passage = trial_passages(sectors, trials, continuous)
        chosen = np.flatnonzero(completed) if completed is not None and completed.any() else slice(None)
        mean = Passage(*(part[chosen].mean(axis=0) for part in (passage.seconds, passage.metres, passage.along)))
        found["trials"] = mean.seconds, mean.speed
        found["best"] = passage.seconds[best], passage.speed[best]
    if fastest is not None:
        passage = fastest_passage(sectors, fastest)
        found["fastest"] = passage.seconds, passage.speed
    return SectorTimes(sectors, **found, lap=completed is None or bool(completed[best]))
