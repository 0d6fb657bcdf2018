"""Finished episodes, as metrics and plots need them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Episode:
    """One finished episode of one car."""

    number: int  # over the whole run, from 0
    reward: float  # undiscounted sum
    steps: int
    progress: float | None  # percent of the lap; None where there is none
    status: str  # an EpisodeStatus' name; elsewhere terminated or truncated
    sim_seconds: float
    started: float  # wall clock, seconds since the epoch
