"""Prioritised replay, in proportion (Schaul et al. 2016, section 3.3 and 3.4), with rl_coach's parameters.

The sums are taken anew for each batch: of 40,000 transitions that is a fraction of a millisecond, beside gradient
steps of tens.
"""

from typing import Any

import numpy as np


class Priorities:
    """How likely each transition of a memory is drawn: (its last error + epsilon) to the power of alpha."""

    def __init__(self, alpha: float, beta: Any, epsilon: float):
        """beta: rl_coach's schedule of how far the weights make up for the uneven draw; one step a batch."""
        self._alpha, self._beta, self._epsilon = alpha, beta, epsilon
        self._of: np.ndarray = np.empty(0)
        self.batches = 0  # drawn: steps taken of the schedule

    def keep(self, places: int) -> None:
        self._of = np.zeros(places)

    def add(self, places: np.ndarray) -> None:
        """New transitions: as likely as the likeliest, so that each is seen once."""
        self._of[places] = self._of.max() or 1.0

    def update(self, places: np.ndarray, errors: np.ndarray) -> None:
        self._of[places] = (np.abs(errors.astype(np.float64)) + self._epsilon) ** self._alpha

    def sample(self, rng: np.random.Generator, allowed: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """(places, weights of their losses, 1 at most) of `count` transitions, one from each of as many equal shares
        of the sum of all that are `allowed`."""
        sums = np.cumsum(self._of[allowed])
        drawn = (np.arange(count) + rng.random(count)) * (sums[-1] / count)
        chosen = allowed[np.minimum(np.searchsorted(sums, drawn, side="right"), len(allowed) - 1)]
        weights = (self._of[chosen] / self._of[allowed].min()) ** -self._beta.current_value
        self.skip_to(self.batches + 1)
        return chosen, weights.astype(np.float32)

    def skip_to(self, batches: int) -> None:
        """Bring the schedule to where it was after `batches`."""
        for _ in range(batches - self.batches):
            self._beta.step()
        self.batches = batches
