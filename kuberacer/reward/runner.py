"""Calls a reward function for all cars: compiled where that gives the same, else plain Python.

Plain Python builds only the keys that are read. A function that may remember things between calls runs in a copy of its
module for each car, so that one car's memory is never another's. This runs the user's code in this very process:
training and validation use it inside a RewardProcess only.
"""

import builtins
import linecache
import numbers
import sys
import traceback
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from itertools import repeat
from types import FrameType
from typing import Any, Protocol

import numpy as np

from kuberacer.errors import UserError
from kuberacer.reward.source import FUNCTION, RewardSource
from kuberacer.sim.params import ALL_KEYS, ARRAY_KEYS, OBJECT_KEYS, ParamArrays

LIMIT = 1e5  # of a reward's size
PLAIN_NUMBERS = {float, int, bool}
NO_GUARD = nullcontext()


class RoadFacts(Protocol):
    """What rewards are told about a track; Track has it."""

    @property
    def width(self) -> float: ...

    @property
    def length(self) -> float: ...

    @property
    def waypoints(self) -> tuple[tuple[float, float], ...]: ...


class RewardRunner:
    """`runner(values)` -> rewards (cars,) float64, finite and within ±LIMIT, in an array of the caller's own.

    objects: how many each car meets. UserErrors name file, line and cause.
    """

    def __init__(self, source: RewardSource, road: RoadFacts, cars: int, objects: int = 0):
        self.source, self.road, self.cars, self.objects = source, road, cars, objects
        self.keys = tuple(key for key in ALL_KEYS if source.keys is None or key in source.keys)
        self.path = "plain"
        self.why_plain = "not compiled yet"
        self._kernel: Callable[[ParamArrays], np.ndarray] | None = None
        copies = 1 if source.stateless else cars
        functions = [load_function(source) for _ in range(copies)]
        self._functions = functions * (cars if copies == 1 else 1)

    def __call__(self, values: ParamArrays) -> np.ndarray:
        if self._kernel is not None:
            try:
                rewards = self._kernel(values)
                if within_limits(rewards):
                    return rewards
            except Exception:  # plain Python says which line it is
                pass
        return self.plain(values)

    def compile(self, samples: Iterable[ParamArrays], guard: AbstractContextManager = NO_GUARD) -> bool:
        """Try to have numba compile the function; keeps the result only when it equals plain Python on all samples.

        guard: entered around plain Python's calls."""
        from kuberacer.reward.compiled import NotCompilable, compile_reward

        try:
            kernel = compile_reward(self.source, self.road, self.cars, self.objects)
            for values in samples:
                with guard:
                    expected = self.plain(values)
                if not np.allclose(kernel(values), expected, rtol=1e-9, atol=1e-12):
                    raise NotCompilable("compiled, it gives other numbers than plain Python")
        except NotCompilable as reason:
            self.why_plain = str(reason)
            return False
        except Exception as error:
            self.why_plain = f"{type(error).__name__} on a sample: {error}".splitlines()[0]
            return False
        self._kernel, self.path, self.why_plain = kernel, "compiled", ""
        return True

    def plain(self, values: ParamArrays) -> np.ndarray:
        """Rewards (cars,) by plain Python."""
        keys, functions = self.keys, self._functions
        rows = zip(*(column(values, key) for key in keys), strict=True) if keys else repeat((), self.cars)
        rewards: list[Any] = []
        try:
            for function, row in zip(functions, rows, strict=True):
                rewards.append(function(dict(zip(keys, row, strict=True))))
        except BaseException as error:
            raise self._fault(error, values, len(rewards)) from None
        return self._checked(rewards, values)

    def _checked(self, rewards: list, values: ParamArrays) -> np.ndarray:
        if not set(map(type, rewards)) <= PLAIN_NUMBERS:
            for car, reward in enumerate(rewards):
                if not isinstance(reward, numbers.Real | np.bool_):
                    what = f"{FUNCTION} returned {_shown(reward)}, not a number"
                    raise self._fault_of_value(what, "return a float: return float(…)", values, car)
        try:
            array = np.array(rewards, dtype=np.float64)
        except OverflowError:
            array = np.array([float(np.clip(reward, -1e300, 1e300)) for reward in rewards])
        if not within_limits(array):
            car = int(np.flatnonzero(~(np.abs(array) <= LIMIT))[0])
            what = f"{FUNCTION} returned {_shown(rewards[car])}, which is not within ±{LIMIT:.0f}"
            raise self._fault_of_value(what, "return a finite number between -100000 and 100000", values, car)
        return array

    def _fault_of_value(self, what: str, remedy: str, values: ParamArrays, car: int) -> UserError:
        return self.source.fault(self._line_of_return(values, car), f"{what}, for {situation(values, car)}", remedy)

    def _line_of_return(self, values: ParamArrays, car: int) -> int:
        """The line on which the function returns for that car: the call once more, watched."""
        line = 1

        def watch(frame: FrameType, event: str, _):
            nonlocal line
            if frame.f_code.co_filename != self.source.name:
                return None
            if (
                event == "return"
                and frame.f_back is not None
                and frame.f_back.f_code is RewardRunner._line_of_return.__code__
            ):
                line = frame.f_lineno
            return watch

        params = {key: list(column(values, key))[car] for key in self.keys}
        sys.settrace(watch)
        try:
            self._functions[car](params)
        except BaseException:  # it did return the last time
            pass
        finally:
            sys.settrace(None)
        return line

    def _fault(self, error: BaseException, values: ParamArrays, car: int) -> UserError:
        fault = user_fault(self.source, error)
        return UserError(f"{fault.cause}, for {situation(values, car)}", fault.remedy)


def load_function(source: RewardSource) -> Callable[[dict], Any]:
    """The reward function of a fresh copy of the module. Raises UserError for whatever happens on the way."""
    linecache.cache[source.name] = (len(source.text), None, source.text.splitlines(keepends=True), source.name)
    namespace: dict[str, Any] = {"__name__": "reward", "__builtins__": _guarded_builtins(source)}
    try:
        exec(compile(source.text, source.name, "exec", dont_inherit=True), namespace)
    except BaseException as error:
        raise user_fault(source, error) from None
    function = namespace.get(FUNCTION)
    if not callable(function):
        raise source.fault(1, f"{FUNCTION} is {_shown(function)}, not a function", "write def reward_function(params):")
    return function


def user_fault(source: RewardSource, error: BaseException) -> UserError:
    """What an exception in the user's code says, with the last line of the user's file that it passed."""
    if isinstance(error, UserError):
        return error
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == source.name]
    line = lines[-1] if lines and lines[-1] else 1
    text = str(error).strip().splitlines()
    what = type(error).__name__ + (f": {text[0][:200]}" if text else "")
    if isinstance(error, SystemExit):
        return source.fault(line, f"{what} ends the program", "return a reward instead of leaving")
    if isinstance(error, MemoryError):
        return source.fault(line, f"{what}: more memory than allowed", "keep less, or smaller arrays")
    if isinstance(error, KeyError):
        return source.fault(line, what, "docs/reward.md lists the keys of params")
    return source.fault(line, what, f"correct this line: {linecache.getline(source.name, line).strip()[:100]}")


def column(values: ParamArrays, key: str) -> Iterable:
    """One key's values for all cars, plain Python values of each car's own."""
    if key in ARRAY_KEYS:
        return getattr(values, key).tolist()
    if key == "waypoints":
        return [list(values.waypoints_of(car)) for car in range(values.cars)]
    if key == "objects_location":
        return [[(x, y) for x, y in places] for places in values.objects_location.tolist()]
    if key in OBJECT_KEYS:
        return getattr(values, key).tolist()
    return [getattr(values, key)] * values.cars


def situation(values: ParamArrays, car: int) -> str:
    """The car's state in words, for messages."""
    return (
        f"car {car} at step {values.steps[car]}: progress {values.progress[car]:.1f}, x {values.x[car]:.2f}, "
        f"y {values.y[car]:.2f}, heading {values.heading[car]:.1f}, speed {values.speed[car]:.2f}, "
        f"distance_from_center {values.distance_from_center[car]:.3f}"
    )


def within_limits(rewards: np.ndarray) -> bool:
    """Whether all are finite and within ±LIMIT."""
    return bool(np.abs(rewards).max(initial=0.0) <= LIMIT)


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except BaseException:
        text = "something unprintable"
    return f"{text[:60]} ({type(value).__name__})"


def _guarded_builtins(source: RewardSource) -> dict[str, Any]:
    """The builtins of the user's file: the usual ones, but imports are checked when they happen, too."""
    real_import = builtins.__import__

    def checked_import(name, *arguments, **keywords):
        frame = sys._getframe(1)
        source.check_import(name, frame.f_lineno)
        return real_import(name, *arguments, **keywords)

    return {**vars(builtins), "__import__": checked_import}
