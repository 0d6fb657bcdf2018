"""The package `deepracer`'s Gymnasium client, with deadlines and with faults that say what to do.

Runs where that package is installed: in the environment of images/deepracer.
"""

import importlib.metadata
import os
import time
from dataclasses import dataclass
from typing import Any, Self

from kuberacer.coach.metadata import ContinuousActions, ModelMetadata
from kuberacer.errors import UserError
from kuberacer.rollout.external_sim import SAME_AS, SimulatorGoneError

SPEAKS = "0.1."  # the client's versions whose protocol this is
PARTS = ("_next_state", "_game_over", "_goal", "info")  # of every answer
TOLD = ("reward_params", "episode_status")  # of `info`


@dataclass(frozen=True)
class Deadlines:
    """Seconds: until a simulator that starts has answered first, and for each answer after that."""

    start: float = 500.0
    answer: float = 30.0

    @classmethod
    def from_environment(cls) -> Self:
        """KUBERACER_SIMULATOR_START_S and KUBERACER_SIMULATOR_ANSWER_S. Raises UserError."""
        found = {}
        for key in ("start", "answer"):
            name = f"KUBERACER_SIMULATOR_{key.upper()}_S"
            try:
                found[key] = float(os.environ.get(name, getattr(cls, key)))
            except ValueError:
                raise UserError(f"{name} is {os.environ[name]!r}", "give seconds") from None
            if not found[key] > 0.0:
                raise UserError(f"{name} is {found[key]:g}", "give seconds, more than 0")
        return cls(**found)


class DeepRacerEnvironment:
    """GymEnvironment of a running simulator. Every method raises SimulatorGoneError when no answer comes in time, and
    UserError for an answer that is none."""

    def __init__(self, address: str, metadata: ModelMetadata, deadlines: Deadlines):
        """Connects; whether anyone is there, `reset` finds out. Raises ImportError where there is no client."""
        self.address, self.deadlines = address, deadlines
        refuse_pickles()
        from deepracer.envs import DeepracerGymEnv

        version = importlib.metadata.version("deepracer")
        if not version.startswith(SPEAKS):
            raise UserError(
                f"the DeepRacer client is {version}, KubeRacer speaks {SPEAKS}x",
                "make .envs/deepracer/.ready anew, from images/deepracer/requirements.lock",
            )
        host, _, port = address.rpartition(":")
        self._environment: Any = DeepracerGymEnv(
            agent_config=agent_config(metadata),
            reward_function=lambda params: 0.0,  # the run's own reward function is asked
            manage_container=False,
            host=host,
            port=int(port),
        )
        self._client = self._environment.deepracer_adapter.zmq_client
        self._receive, self._client.recieve_response = self._client.recieve_response, self._answer
        self._began, self._wait = 0.0, deadlines.start

    def reset(self) -> tuple[dict[str, Any], dict[str, Any]]:
        self._began = time.monotonic()
        answer = self._guarded(self._environment.reset)
        self._wait = self.deadlines.answer
        self._began = 0.0
        return answer

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        return self._guarded(self._environment.step, action)

    def close(self) -> None:
        self._environment.close()

    def _answer(self) -> dict[str, Any]:
        """One answer, checked. In place of the client's own method, so that none goes by."""
        import zmq

        late = self._began and time.monotonic() - self._began > self.deadlines.start
        if late:  # it answers, but never with the first step of an episode
            raise UserError(
                f"the simulator at {self.address} has not begun an episode for {self.deadlines.start:.0f} s",
                "look at its log, and start it again",
            )
        self._client.socket.set(zmq.RCVTIMEO, int(1000 * self._wait))
        return checked(self._receive(), self.address)

    def _guarded(self, call: Any, *given: Any) -> Any:
        import zmq

        try:
            return call(*given)
        except zmq.ZMQError as error:
            raise SimulatorGoneError(
                f"the simulator at {self.address} has not answered for {self._wait:g} s ({error})",
                "look whether it runs and whether its port can be reached, and start it again",
            ) from None
        except UserError:
            raise
        except Exception as error:  # what a decoder or the client's own code makes of garbage
            raise no_answer(self.address, f"{type(error).__name__}: {error!s:.200}") from error


def checked(answer: Any, address: str) -> dict[str, Any]:
    """An answer with all its parts. Raises UserError that names what is missing."""
    if not isinstance(answer, dict):
        raise no_answer(address, f"a {type(answer).__name__}")
    missing = [part for part in PARTS if part not in answer]
    info = answer.get("info")
    missing += [] if not isinstance(info, dict) else [f"info.{part}" for part in TOLD if part not in info]
    if missing or not isinstance(info, dict):
        raise no_answer(address, f"it lacks {', '.join(missing) or 'info'}")
    return answer


def no_answer(address: str, what: str) -> UserError:
    return UserError(
        f"what the simulator at {address} sends is no answer of the protocol of deepracer {SPEAKS}x: {what}",
        "use the simulator's image of the client's version, and check that the port is the simulator's",
    )


def refuse_pickles() -> None:
    """The client's decoder of arrays would unpickle what it is sent as an array of objects, and so run it."""
    import msgpack_numpy

    class Refusing:
        @staticmethod
        def loads(data: bytes) -> Any:
            raise UserError("the simulator sent a pickled object", "connect to a simulator that you trust")

    msgpack_numpy.pickle = Refusing


def agent_config(metadata: ModelMetadata) -> dict[str, Any]:
    """The client's configuration: the actions and sensors in the form of model_metadata.json.

    The client refuses the names of sensors that are others in disguise: what it sends of those is what is needed.
    """
    space = metadata.action_space
    if isinstance(space, ContinuousActions):
        ranges = {"steering_angle": space.steering_angle, "speed": space.speed}
        actions: Any = {name: {"low": low, "high": high} for name, (low, high) in ranges.items()}
    else:
        actions = [{"steering_angle": a.steering_angle, "speed": a.speed} for a in space]
    sensors = [SAME_AS.get(sensor, sensor) for sensor in metadata.sensors]
    kind = "continuous" if metadata.continuous else "discrete"
    return {"action_space_type": kind, "action_space": actions, "sensor": sensors}
