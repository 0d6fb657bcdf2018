"""mlagents-envs as it is used here: on gymnasium, on loopback alone, and without its list of Unity's own scenes.

Importing this module is what brings it in. Its gym wrapper asks for gym, whose successor gymnasium has all of it that
the wrapper uses; the package that the wrapper lies in would fetch a list from the internet.
"""

import atexit
import contextlib
import importlib
import logging
import subprocess
import sys
import time
import types
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import gymnasium
import mlagents_envs
from mlagents_envs import environment, logging_util, rpc_communicator
from mlagents_envs.communicator_objects.unity_to_external_pb2_grpc import add_UnityToExternalProtoServicer_to_server
from mlagents_envs.exception import UnityTimeOutException, UnityWorkerInUseException

from kuberacer.die_with_parent import dying_with_parent

POLL_S = 0.2
_ENVS = "mlagents_envs.envs"

logging_util.set_log_level(logging.WARNING)
# The generated code and the version check are of 2022.
warnings.filterwarnings("ignore", category=DeprecationWarning, module="mlagents_envs")


def _import_gym_wrapper() -> types.ModuleType:
    package = types.ModuleType(_ENVS)
    package.__path__ = [str(Path(mlagents_envs.__file__).parent / "envs")]
    before = {name: sys.modules.get(name) for name in ("gym", _ENVS)}
    sys.modules.update({"gym": gymnasium, _ENVS: package})
    try:
        return importlib.import_module(f"{_ENVS}.unity_gym_env")
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


_wrapper = _import_gym_wrapper()
_wrapper.logger.setLevel(logging.ERROR)  # it takes a vector for several observations
UnityToGymWrapper, UnityGymException = _wrapper.UnityToGymWrapper, _wrapper.UnityGymException


class LoopbackCommunicator(rpc_communicator.RpcCommunicator):
    """The server that a player connects to. mlagents-envs' own listens to the whole network, lets two workers share a
    port, and looks six times a minute whether the player still lives."""

    def create_server(self) -> None:
        self.check_port(self.port)
        self.server = grpc.server(ThreadPoolExecutor(max_workers=2), options=(("grpc.so_reuseport", 0),))
        self.unity_to_external = rpc_communicator.UnityToExternalServicerImplementation()
        add_UnityToExternalProtoServicer_to_server(self.unity_to_external, self.server)
        try:
            self.server.add_insecure_port(f"127.0.0.1:{self.port}")
        except RuntimeError:
            raise UnityWorkerInUseException(self.worker_id) from None
        with contextlib.suppress(RuntimeError):  # what localhost is to some players
            self.server.add_insecure_port(f"[::1]:{self.port}")
        self.server.start()
        self.is_open = True

    def poll_for_timeout(self, poll_callback: Callable[[], None] | None = None) -> None:
        deadline = time.monotonic() + self.timeout_wait
        while not self.unity_to_external.parent_conn.poll(POLL_S):
            if poll_callback:
                poll_callback()  # raises when the player has ended
            if time.monotonic() > deadline:
                raise UnityTimeOutException(f"no answer for {self.timeout_wait} s")


class Connection(environment.UnityEnvironment):
    """A running player. output: where what it prints goes."""

    def __init__(self, player: Path, worker: int, seed: int, timeout_s: int, graphics: bool, output: Path):
        self._output = output
        try:
            super().__init__(
                file_name=str(player),
                worker_id=worker,
                seed=seed,
                no_graphics=not graphics,
                timeout_wait=timeout_s,
                additional_args=["-logFile", str(output)],
            )
        except BaseException:
            self.end(patience_s=0)
            raise

    @staticmethod
    def _get_communicator(worker_id: int, base_port: int, timeout_wait: int) -> LoopbackCommunicator:
        return LoopbackCommunicator(worker_id, base_port, timeout_wait)

    def _executable_args(self) -> list[str]:
        return [str(self._output), *super()._executable_args()]  # for _launch

    def end(self, patience_s: float = 3) -> None:
        """Ask the player to end, and kill it if it does not."""
        atexit.unregister(self._close)  # which would fail for what has no server
        if hasattr(self, "_communicator"):
            with contextlib.suppress(OSError, ValueError):  # the other end of the pipe may be gone
                self._close(patience_s)

    def _close(self, timeout: float | None = None) -> None:
        process = self._process
        super()._close(timeout)
        if process is not None:
            process.wait()


def _launch(player: str, arguments: list[str]) -> subprocess.Popen:
    """Instead of mlagents-envs' own, which rewrites names with .x86 in them, throws away what a player prints, and
    leaves it behind when Python is killed."""
    output, *rest = arguments
    with open(output, "ab") as file:
        return subprocess.Popen(
            dying_with_parent([player, *rest]),
            stdout=file,
            stderr=file,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )


environment.env_utils = types.SimpleNamespace(launch_executable=_launch)
