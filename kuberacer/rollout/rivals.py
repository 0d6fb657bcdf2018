"""Training against models: a simulator of which the learner sees its own cars only, while frozen policies drive the
others on the same track."""

from collections.abc import Sequence

import numpy as np

from kuberacer.rollout.entrants import Entrant
from kuberacer.rollout.frame_stack import Observations
from kuberacer.rollout.seats import Seats
from kuberacer.sim.episode import EpisodeStatus
from kuberacer.sim.race_sim import RaceSim


class AmongRivals(Seats):
    """The first car of every group of a simulator, in the simulator's own shape: frames, lidar, values, status,
    terminated, truncated, advance, render, reset, … of the learner's cars. The rivals are the others of each group.

    A rival that leaves the track or hits something is put back and drives on; the end of a learner's episode puts the
    learner alone back on the grid.
    """

    def __init__(self, sim: RaceSim, rivals: Sequence[Entrant]):
        """sim: with groups of one car more than there are rivals."""
        self.together = len(rivals) + 1
        if sim.config.scene.together != self.together:
            raise ValueError(f"groups of {sim.config.scene.together} cars for {len(rivals)} rivals")
        super().__init__(sim, 0, self.together)
        self.track, self.config, self.seed, self.clean = sim.track, sim.config, sim.seed, sim.clean
        self.rivals = list(rivals)
        self.seats = [Seats(sim, number, self.together) for number in range(1, self.together)]
        self._others: np.ndarray = np.arange(sim.cars) % self.together > 0
        self._seen: list[Observations] = []
        self._back = np.zeros(sim.cars, bool)

    @property
    def episode(self) -> np.ndarray:
        return self.sim.episode[self.part]

    @property
    def objects(self) -> np.ndarray:
        return self.sim.objects[self.part]

    def status_name(self, car: int) -> str:
        return self.sim.status_name(car * self.together)

    def advance(self, steering_deg: np.ndarray, speed: np.ndarray) -> None:
        """One step of all cars; (cars,) commands of the learner's."""
        commands = np.zeros((2, self.sim.cars))
        commands[:, self.part] = steering_deg, speed
        self._look()
        for rival, seats, seen in zip(self.rivals, self.seats, self._seen, strict=True):
            commands[:, seats.part] = rival.metadata.decode(rival.policy(seen.current))
        self.sim.advance(*commands)
        self._judge()

    def render(self, cars: np.ndarray | None = None) -> None:
        """Draw what the learner's cars see, all or the masked ones."""
        self.sim.render(self._mask(cars))

    def reset(self, cars: np.ndarray | None = None) -> None:
        """Begin new episodes of the learner's cars, all or the masked ones; rivals begin with the first one."""
        if cars is None or (self.sim.episode < 0).any():
            self.sim.reset()
            self._seen = []
        else:
            self.sim.reset(self._mask(cars))

    def restart(self, seed: int) -> None:
        self.seed = seed
        self.sim.restart(seed)
        self._seen = []

    def _mask(self, cars: np.ndarray | None) -> np.ndarray:
        """A mask of the simulator's cars from one of the learner's."""
        mask = np.zeros(self.sim.cars, bool)
        mask[self.part] = True if cars is None else cars
        return mask

    def _look(self) -> None:
        """Draw what the rivals see."""
        self.sim.render(self._others)
        if not self._seen:
            made = zip(self.rivals, self.seats, strict=True)
            self._seen = [Observations(seats, rival.metadata, rival.stack) for rival, seats in made]
            return
        for seats, seen in zip(self.seats, self._seen, strict=True):
            seen.push(self._back[seats.part])

    def _judge(self) -> None:
        """What follows the step for the rivals."""
        ended = self._others & self.sim.terminated
        laps = ended & (self.sim.status == EpisodeStatus.lap_complete)
        self._back = ended & ~laps
        if laps.any() and self.track.closed:
            self.sim.next_lap(laps)
        elif laps.any():
            self.sim.reset(laps)
            self._back |= laps
        if (ended & ~laps).any():
            self.sim.recover(ended & ~laps)
