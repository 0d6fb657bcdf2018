"""From an environment's name to the environment: KubeRacer's short names, Gymnasium's ids, `module:Class`, own source.

An environment is other people's code: only the processes of the trainer and of the evaluation execute it.
"""

import contextlib
import importlib
import inspect
import re
import sys
import traceback
import types
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import gymnasium
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv

from kuberacer.coach.environment_model import EnvironmentModel, Parameter
from kuberacer.errors import UserError

NAMES = {
    "mountain_car": "kuberacer.environments.mountain_car:PatientMountainCar",
    "mountain_car_continuous": "kuberacer.environments.mountain_car:PatientContinuousMountainCar",
    "donkey_car": "kuberacer.environments.donkey:DonkeyCar",
}
OWN = "own_environment"  # the module that a user's source becomes
FILENAME = f"{OWN}.py"


class Environments:
    """Makes environments of one name. source: of the module `own_environment`, which the name may then mean.
    parameters: what they are made with."""

    def __init__(self, name: str, source: str = "", parameters: Mapping[str, Parameter] | None = None):
        self.name, self.parameters = name, dict(parameters or {})
        if source.strip():
            _load_own(source)
        self._maker = _maker(NAMES.get(name, name))

    def make(self, drawn: bool = False) -> gymnasium.Env:
        """One environment. drawn: such that render() gives pictures (rows, columns, 3); as a fault when it cannot."""
        env = _told(self.name, lambda: self._maker(render_mode="rgb_array" if drawn else None, **self.parameters))
        if not isinstance(env, gymnasium.Env):
            raise UserError(f"{self.name} makes {type(env).__name__}", "make it a subclass of gymnasium.Env")
        return env

    def vector(self, copies: int) -> VectorEnv:
        """So many, stepped together. An ended one stays as it is until reset(options={"reset_mask": …}).

        A class with a method `vector_env(copies, …)` of its own makes them itself."""
        if (own := getattr(self._maker, "vector_env", None)) is not None:
            return _told(self.name, lambda: own(copies, **self.parameters))
        return SyncVectorEnv([self.make] * copies, autoreset_mode=AutoresetMode.DISABLED)

    @property
    def most_copies(self) -> int | None:
        """How many can be played at once; None: any number. A class may have a method `most_copies(…)`."""
        own = getattr(self._maker, "most_copies", None)
        return None if own is None else _told(self.name, lambda: own(**self.parameters))

    def draw(self, folder: Path) -> None:
        """Write into a folder what the environment shows of itself: a class may have a method `draw(folder, …)`."""
        if (own := getattr(self._maker, "draw", None)) is not None:
            _told(self.name, lambda: own(folder, **self.parameters))

    def model(self, algorithm: str, preprocess: tuple[str, ...] = ()) -> EnvironmentModel:
        """What a policy sees and does there. preprocess: the steps of its preset's filters.

        Raises UserError for spaces that no learner takes."""
        env = self.make()
        try:
            return EnvironmentModel.of(
                self.name,
                algorithm,
                env.observation_space,
                env.action_space,
                meanings=getattr(env.unwrapped, "meanings", None),
                preprocess=preprocess,
                parameters=self.parameters,
            )
        finally:
            env.close()


def _load_own(source: str) -> None:
    module = types.ModuleType(OWN)
    sys.modules[OWN] = module
    _told(FILENAME, lambda: exec(compile(source, FILENAME, "exec"), module.__dict__))


def _maker(name: str) -> Callable[..., Any]:
    module, colon, attribute = name.partition(":")
    if not colon or re.search(r"-v\d+$", name):  # Gymnasium's id, perhaps module:id
        return lambda **options: gymnasium.make(name, **options)
    try:
        made = getattr(importlib.import_module(module), attribute)
    except ImportError as error:
        raise UserError(f"the environment {name}: {error}", "name module:Class of an installed module") from None
    except AttributeError:
        raise UserError(f"the environment {name}: {module} has no {attribute}", "name a class of the module") from None
    if not callable(made):
        raise UserError(
            f"the environment {name} is {type(made).__name__}", "name a class, or a function that makes one"
        )
    if "render_mode" in _parameters(made):
        return made
    return lambda render_mode, **options: made(**options)


def _parameters(made: Callable[..., Any]) -> Collection[str]:
    """The names of what it takes; none where Python does not know them."""
    with contextlib.suppress(ValueError, TypeError):
        return inspect.signature(made).parameters
    return ()


def _told(name: str, action: Callable[[], Any]) -> Any:
    """Raises UserError for what goes wrong in other people's code, with the line where it is the user's own."""
    try:
        return action()
    except UserError:
        raise
    except Exception as error:
        raise _fault(name, error) from error


@contextlib.contextmanager
def faults_told() -> Iterator[None]:
    """Raises UserError for what a user's own source raises while it is played, with its line."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if not _lines(error):
            raise
        raise _fault(FILENAME, error) from error


def _fault(name: str, error: Exception) -> UserError:
    lines = _lines(error)
    where = f", line {lines[-1]}" if lines else ""
    said = re.sub(r"\s+", " ", str(error))[:300]
    return UserError(f"{name}{where}: {type(error).__name__}: {said}", "mend the environment, or its name")


def _lines(error: Exception) -> list[int | None]:
    """Of the user's source, from the outermost call to the innermost one."""
    return [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == FILENAME]
