"""The real DeepRacer simulator as a simulator of the stages: through the client in this environment, or in its own."""

import importlib.util
import os
import sys
from pathlib import Path

from kuberacer.coach.metadata import ModelMetadata
from kuberacer.errors import UserError
from kuberacer.rollout.external_sim import ExternalSim, GymEnvironment
from kuberacer.sim.track import Track

ADDRESSES = "KUBERACER_SIMULATORS"
PYTHON = "KUBERACER_DEEPRACER_PYTHON"


def connect(address: str, track: Track, metadata: ModelMetadata) -> ExternalSim:
    """A running simulator at host:port, waited for as long as it takes to start.

    Raises UserError when the address is none, or there is no client.
    """
    check_address(address)
    return ExternalSim(lambda: client(address, metadata), track, metadata)


def client(address: str, metadata: ModelMetadata) -> GymEnvironment:
    if importlib.util.find_spec("deepracer") is not None:
        from kuberacer.rollout.deepracer_client import Deadlines, DeepRacerEnvironment

        return DeepRacerEnvironment(address, metadata, Deadlines.from_environment())
    from kuberacer.rollout.deepracer_bridge import BridgedEnvironment

    return BridgedEnvironment(client_python(), address, metadata)


def client_python() -> Path:
    """The interpreter of the client's environment: beside this one's, or that of KUBERACER_DEEPRACER_PYTHON."""
    given = os.environ.get(PYTHON)
    python = Path(given) if given else Path(sys.prefix).parent / "deepracer" / "bin" / "python"
    if not python.exists():
        raise UserError(
            f"the DeepRacer simulator's client is not installed: there is no {python}",
            f"make .envs/deepracer/.ready (needs Python 3.12), or name its Python in {PYTHON}",
        )
    return python


def check_address(address: str) -> None:
    host, colon, port = address.rpartition(":")
    if not host or not colon or not port.isdigit() or not 0 < int(port) < 65536:
        raise UserError(f"the simulator's address is {address!r}", "give host:port")


def given_simulators() -> list[str]:
    """host:port of the simulators of KUBERACER_SIMULATORS, separated by commas; none: [], and our own is used."""
    addresses = [part.strip() for part in os.environ.get(ADDRESSES, "").split(",") if part.strip()]
    for address in addresses:
        check_address(address)
    return addresses


def simulator_of(index: int) -> str:
    """The address for the rollout worker of this index, from 1; '' where none are named. Raises UserError when too few
    are."""
    addresses = given_simulators()
    if addresses and not 1 <= index <= len(addresses):
        raise UserError(
            f"worker {index} has no simulator: {ADDRESSES} names {len(addresses)}",
            f"train with ROLLOUT_WORKERS={len(addresses)}",
        )
    return addresses[index - 1] if addresses else ""


def time_trials_only(objects: int) -> None:
    """Raises UserError for a training among objects: such a simulator has those that it was started with."""
    if objects:
        raise UserError(
            f"an external simulator is trained in for time trials, not among {objects} objects of ours",
            f"train this race without {ADDRESSES}",
        )


def check_workers(workers: int, cars_per_worker: int) -> None:
    """Raises UserError when a training's workers do not fit the simulators that it is to drive in."""
    count = len(given_simulators())
    if count and (workers != count or cars_per_worker != 1):
        raise UserError(
            f"{ADDRESSES} names {count} simulators of one car each, the training has {workers} rollout workers of "
            f"{cars_per_worker} cars",
            f"train with ROLLOUT_WORKERS={count} CARS_PER_WORKER=1",
        )
