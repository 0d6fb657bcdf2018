"""What went wrong in Ray's processes, told to the training by Ray's own key-value store."""

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import gymnasium
from ray.experimental import internal_kv

from kuberacer.errors import UserError
from kuberacer.rllib.playing import Playing

RETURN, LENGTH = "return_so_far", "length_so_far"
_SPACE = b"kuberacer-faults"


@dataclass(frozen=True)
class Fault:
    """worker: Ray's number of the process, from 1; 0: the trainer."""

    worker: int
    cause: str
    remedy: str


class TellsFaults(gymnasium.Wrapper):
    """An environment whose faults the trainer hears of, before RLlib ends the process for them.

    Each step's info says RETURN and LENGTH of the episode so far: RLlib's own episodes are cut where a fragment ends.
    """

    def __init__(self, env: gymnasium.Env, worker: int):
        super().__init__(env)
        self.worker = worker
        self._total, self._steps = 0.0, 0

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[Any, dict]:
        self._total, self._steps = 0.0, 0
        with _telling(self.worker):
            return super().reset(seed=seed, options=options)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict]:
        with _telling(self.worker):
            seen, reward, terminated, truncated, info = super().step(action)
        self._total, self._steps = self._total + float(reward), self._steps + 1
        return seen, reward, terminated, truncated, {**info, RETURN: self._total, LENGTH: self._steps}


def open_told(config: Any) -> gymnasium.Env:
    """What Ray makes environments with. config: Ray's EnvContext over Playing.as_config()."""
    worker = int(config.worker_index)
    with _telling(worker):
        return TellsFaults(Playing.of_config(config).open_scaled(worker + 100 * int(config.vector_index)), worker)


def faults_since(seen: int) -> list[Fault]:
    """Those after the first `seen`, in their order."""
    keys = sorted(internal_kv._internal_kv_list(b"", namespace=_SPACE))[seen:]
    return [Fault(**json.loads(internal_kv._internal_kv_get(key, namespace=_SPACE))) for key in keys]


@contextlib.contextmanager
def _telling(worker: int) -> Iterator[None]:
    try:
        yield
    except UserError as error:
        _tell(Fault(worker, error.cause, error.remedy))
        raise
    except Exception as error:
        _tell(Fault(worker, f"the environment failed: {type(error).__name__}: {error}"[:500], "mend the environment"))
        raise


def _tell(fault: Fault) -> None:
    if internal_kv._internal_kv_initialized():
        key = f"{time.time_ns():020d}-{fault.worker}".encode()
        internal_kv._internal_kv_put(key, json.dumps(asdict(fault)).encode(), namespace=_SPACE)
