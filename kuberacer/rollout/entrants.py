"""Who takes part in a race: a frozen policy, the metadata that it was trained with, and how it is shown."""

from dataclasses import dataclass

from kuberacer.coach.metadata import ModelMetadata
from kuberacer.rollout.laps import Policy


@dataclass(frozen=True)
class Entrant:
    """policy: observations -> actions. stack: frames that it sees at once. color: one of CAR_COLOR's names."""

    policy: Policy
    metadata: ModelMetadata
    stack: int = 1
    name: str = "racer"
    color: str = "Black"
    model: str = ""  # where it comes from
