"""The steps of a training, from its sim traces: all of them, or evenly spread iterations where they are too many."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from kuberacer.formats.trace_columns import iterations_of, pieces, read_iterations

MOST_BYTES = 96 << 20  # of trace files that a report reads: some 800,000 steps
INCIDENTS = ("off_track", "crashed", "immobilized", "reversed")
END = 0.1  # share of the iterations that is called the training's end


@dataclass(frozen=True)
class Steps:
    """table (n,) of trace_columns.COLUMNS and episode (n,), numbers from 0: an episode's steps follow one another.

    of: the iterations that the training had; `iterations` are those that were read."""

    table: np.ndarray
    episode: np.ndarray
    of: int

    @classmethod
    def arranged(cls, table: np.ndarray, of: int) -> "Steps":
        episode = pieces(table)
        order = np.argsort(episode, kind="stable")
        return cls(table[order], episode[order], of)

    def __len__(self) -> int:
        return len(self.table)

    @cached_property
    def iterations(self) -> np.ndarray:
        return np.unique(self.table["iteration"])

    @cached_property
    def begins(self) -> np.ndarray:
        """(n,) bool: nothing is known of the step before."""
        begins = np.ones(len(self), bool)
        begins[1:] = (np.diff(self.episode) != 0) | (np.diff(self.table["steps"]) != 1)
        return begins

    @cached_property
    def seconds(self) -> np.ndarray:
        """(n,) simulated seconds that each step took; 0 where the one before it was not read."""
        clock = self.table["tstamp"]
        took = np.diff(clock, prepend=0.0)
        return np.where(self.begins, np.where(self.table["steps"] == 1, clock, 0.0), took)

    @cached_property
    def resets(self) -> np.ndarray:
        """(n,) bool: the car was put back on the road before this step, after an incident that ended no episode."""
        incident = np.isin(self.table["episode_status"], INCIDENTS)
        return np.append(False, incident[:-1])[: len(self)] & ~self.begins

    @cached_property
    def speed(self) -> np.ndarray:
        """(n,) m/s measured; 0 where the way is not known or a reset."""
        x, y = self.table["x"], self.table["y"]
        way = np.hypot(np.diff(x, prepend=x[:1]), np.diff(y, prepend=y[:1]))
        known = ~self.begins & ~self.resets & (self.seconds > 0)
        return np.where(known, way / np.where(known, self.seconds, 1.0), 0.0)

    def where(self, chosen: np.ndarray) -> "Steps":
        return Steps(self.table[chosen], self.episode[chosen], self.of)

    @cached_property
    def end(self) -> "Steps":
        """Those of the last tenth of the iterations, at least of one."""
        last = self.iterations[-max(1, round(END * len(self.iterations))) :]
        return self.where(np.isin(self.table["iteration"], last))

    def said(self) -> str:
        """Which steps these are, for a caption."""
        read = len(self.iterations)
        if read < self.of:
            return f"{len(self):,} steps of {read} evenly spread iterations of {self.of}"
        return f"all {len(self):,} steps of {read} iterations" if read > 1 else f"all {len(self):,} steps"

    def ends(self) -> np.ndarray:
        """(m,) of COLUMNS: the last steps of the episodes that ended."""
        return self.table[self.table["done"]]


def read_steps(folder: Path, most_bytes: int = MOST_BYTES) -> Steps:
    """The steps in a folder of N-iteration.csv. Raises UserError naming file, line and fault."""
    files = list(iterations_of(folder).items())
    total = sum(path.stat().st_size for _, path in files)
    if total > most_bytes:
        count = max(2, int(len(files) * most_bytes / total))
        chosen = np.unique(np.linspace(0, len(files) - 1, count).round().astype(int)).tolist()
    else:
        chosen = list(range(len(files)))
    return Steps.arranged(read_iterations(files[i] for i in chosen), len(files))
