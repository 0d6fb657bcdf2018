"""The real DeepRacer simulator, through the Gymnasium client of the package `deepracer` (in its own environment)."""

from typing import Any

from kuberacer.coach.metadata import ContinuousActions, ModelMetadata
from kuberacer.errors import UserError
from kuberacer.rollout.external_sim import SAME_AS, ExternalSim
from kuberacer.sim.track import Track


def connect(address: str, track: Track, metadata: ModelMetadata) -> ExternalSim:
    """A running simulator at host:port, waited for as long as it takes to start.

    Raises UserError when the address is none, or the client is not installed.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit():
        raise UserError(f"the simulator's address is {address!r}", "give host:port")
    try:
        refuse_pickles()
        from deepracer.envs import DeepracerGymEnv
    except ImportError as error:
        raise UserError(
            f"the DeepRacer simulator's client is not installed: {error}",
            "run the worker in the environment of images/deepracer (`make .envs/deepracer/.ready`, Python 3.12)",
        ) from None
    environment: Any = DeepracerGymEnv(
        agent_config=agent_config(metadata),
        reward_function=lambda params: 0.0,  # the worker asks the run's own reward function
        manage_container=False,
        host=host,
        port=int(port),
    )
    return ExternalSim(environment, track, metadata)


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
