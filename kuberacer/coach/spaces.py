"""What learners, graphs and freezing need to know of what is learned: the algorithm, what is seen, what can be done.

The race's is ModelMetadata, any other environment's is EnvironmentModel.
"""

from typing import Protocol

from kuberacer.coach.sensors import Input


class Spaces(Protocol):
    @property
    def algorithm(self) -> str:
        """A name of kuberacer.coach.algorithms."""

    @property
    def continuous(self) -> bool: ...

    @property
    def actions(self) -> int:
        """The number of discrete actions, or of continuous axes, each in -1..1 for the agent."""

    @property
    def camera(self) -> str:
        """The name of the network's first input."""

    @property
    def lidar(self) -> str | None:
        """The name of its second one."""

    @property
    def sensors(self) -> tuple[str, ...]:
        """Both, as far as they are there."""

    @property
    def views(self) -> int:
        """Arrays that the first input stacks at a time."""

    def inputs(self, stack: int) -> tuple[Input, ...]:
        """The network's inputs for a stack of so many time steps of the first."""
