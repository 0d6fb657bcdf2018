"""Where rollout workers run: the interface that the training starts, scales and ends them by.

Index 0 is the evaluator, 1 to N are the rollout workers; every one is `python -m kuberacer.stages.rollout_worker` with
its index and these variables: KUBERACER_REDIS_HOST, _PORT, _PASSWORD, and the store's (kuberacer.settings).
"""

from dataclasses import dataclass
from typing import Protocol

from kuberacer.usage import Held

MODULE = "kuberacer.stages.rollout_worker"
EVALUATOR = 0  # its index


@dataclass(frozen=True)
class RedisAddress:
    """Where the workers find the training's Redis. The password goes by environment, never by argument."""

    host: str
    port: int
    password: str

    def environment(self) -> dict[str, str]:
        return {
            "KUBERACER_REDIS_HOST": self.host,
            "KUBERACER_REDIS_PORT": str(self.port),
            "KUBERACER_REDIS_PASSWORD": self.password,
        }

    def __repr__(self) -> str:
        return f"RedisAddress({self.host}:{self.port})"


class Workers(Protocol):
    """The evaluator and N rollout workers of one run. Ended ones are started again while it is open.

    Every method may be called from the training's thread only and returns at once; close ends all of them.
    """

    def launch(self, count: int) -> None:
        """Start the evaluator and `count` rollout workers. Raises UserError when that is impossible for good."""

    def scale(self, count: int) -> None:
        """Have `count` rollout workers from now on; those with the highest indices go first."""

    def alive(self) -> int:
        """Rollout workers that run now (of their heartbeats nothing is said here)."""

    def held(self) -> Held:
        """What their pods had until now; nothing where they are children of this process, which counts them itself."""

    def why_missing(self) -> str:
        """Why fewer than wanted run, in one line, for the message of a stall: '' when all run."""

    def close(self) -> None:
        """End all of them, and take away what was made for them. May be called twice."""


def worker_arguments(run: str, index: int | None = None, pace: float = 0.0) -> list[str]:
    """What comes after the interpreter. index: None where the environment has JOB_COMPLETION_INDEX."""
    arguments = ["-m", MODULE, "--run", run]
    arguments += ["--index", str(index)] if index is not None else []
    return [*arguments, "--pace", str(pace)] if pace else arguments
