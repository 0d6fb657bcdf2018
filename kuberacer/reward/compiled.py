"""Has numba compile a reward function over the cars' arrays.

The function's reads of params become arguments: `params["speed"]` is the argument `params_speed`. What numba or this
rewriting does not take is NotCompilable, with the reason; the caller compares the numbers with plain Python's.
"""

import ast
import copy
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from kuberacer.reward.source import FUNCTION, RewardSource
from kuberacer.reward.statements import is_main_block
from kuberacer.sim.params import ARRAY_KEYS, OBJECT_KEYS, ParamArrays, array_keys

_CONSTANTS = ("track_width", "track_length")
_TAKEN = {*ARRAY_KEYS, *_CONSTANTS, *OBJECT_KEYS, "waypoints"}
MOST_OBJECTS = 16  # in a compiled function; with more it takes too long to compile
_IMPORTS = {"math", "numpy"}
_NAMES_REFUSED = {"print", "random", "input", "open"}
# The compiled function gets the one list of waypoints that all cars share, so nothing may change it.
_CHANGES_A_LIST = {"append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"}


class NotCompilable(Exception):
    """Why a reward runs as plain Python; one line."""


def compile_reward(source: RewardSource, road: Any, cars: int, objects: int = 0) -> Callable[[ParamArrays], np.ndarray]:
    """A function ParamArrays -> rewards (cars,) float64. road: its waypoints. objects: of each car.

    Raises NotCompilable."""
    _check(source)
    _check_objects(source, objects)
    keys = list(source.keys or ())
    module = _rewritten(source, keys)
    try:
        kernel = _kernel(module, source, keys, objects)
    except Exception as error:
        raise NotCompilable(f"numba does not take it: {_first_line(error)}") from None
    reward_of = _caller(kernel, keys, road, cars)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reward_of(ParamArrays.allocate(road, cars, objects=objects))
    except Exception as error:
        import numba

        if isinstance(error, numba.core.errors.NumbaError | NotImplementedError):
            raise NotCompilable(f"numba does not take it: {_first_line(error)}") from None
        # The function itself may refuse an all-zero state; it is compiled by now.
    return reward_of


def _check(source: RewardSource) -> None:
    if source.keys is None:
        raise NotCompilable("params is used as a whole")
    if not source.stateless:
        raise NotCompilable("it may remember things between calls")
    unknown = [key for key in source.keys if key not in _TAKEN]
    if unknown:
        raise NotCompilable(f"it reads {unknown[0]!r}")
    for node in _body_nodes(source):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            if not {name.partition(".")[0] for name in names} <= _IMPORTS:
                raise NotCompilable(f"it imports {names[0]}")
        if isinstance(node, ast.Name) and node.id in _NAMES_REFUSED:
            raise NotCompilable(f"it uses {node.id}")
        if isinstance(node, ast.Attribute) and node.attr == "random":
            raise NotCompilable("it draws random numbers")
        if "waypoints" in source.keys and _changes_a_list(node):
            raise NotCompilable("it may change a list")


def _check_objects(source: RewardSource, objects: int) -> None:
    read = [key for key in source.keys or () if key in OBJECT_KEYS]
    if read and objects == 0:
        raise NotCompilable(f"it reads {read[0]!r}, and there are no objects")
    if read and objects > MOST_OBJECTS:
        raise NotCompilable(f"it reads {read[0]!r} of more than {MOST_OBJECTS} objects")


def _changes_a_list(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr in _CHANGES_A_LIST
    return isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load)


def _body_nodes(source: RewardSource):
    for statement in source.tree.body:
        if not is_main_block(statement):
            yield from ast.walk(statement)


def _rewritten(source: RewardSource, keys: list[str]) -> ast.Module:
    """The module without its main block, the reward function with one argument a key."""
    tree = copy.deepcopy(source.tree)
    tree.body = [node for node in tree.body if not is_main_block(node)]
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == FUNCTION:
            params = (node.args.posonlyargs + node.args.args)[0].arg
            node.body = [_Reads(params).visit(statement) for statement in node.body]
            if any(isinstance(name, ast.Name) and name.id == params for name in ast.walk(node)):
                raise NotCompilable("it hands params to another function")
            arguments = [ast.arg(f"params_{key}") for key in keys]
            node.args = ast.arguments(posonlyargs=[], args=arguments, kwonlyargs=[], kw_defaults=[], defaults=[])
            node.returns = None
    return ast.fix_missing_locations(tree)


class _Reads(ast.NodeTransformer):
    """params["key"] and params.get("key", …) become the name params_key: every key is always there."""

    def __init__(self, params: str):
        self.params = params

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        if isinstance(node.value, ast.Name) and node.value.id == self.params:
            if not isinstance(node.ctx, ast.Load):
                raise NotCompilable("it writes into params")
            return ast.copy_location(ast.Name(f"params_{node.slice.value}", ast.Load()), node)  # type: ignore[attr-defined]
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        function = node.func
        if (
            isinstance(function, ast.Attribute)
            and isinstance(function.value, ast.Name)
            and function.value.id == self.params
        ):
            return ast.copy_location(ast.Name(f"params_{node.args[0].value}", ast.Load()), node)  # type: ignore[attr-defined]
        return self.generic_visit(node)


def _kernel(module: ast.Module, source: RewardSource, keys: list[str], objects: int) -> Callable:
    """kernel(rewards, is_reversed, waypoints, reversed_waypoints, track_width, track_length, *arrays) for all cars."""
    import numba

    compiler = numba.njit(boundscheck=True, error_model="python")
    namespace: dict[str, Any] = {"__name__": "compiled_reward"}
    exec(compile(module, source.name, "exec", dont_inherit=True), namespace)
    for node in module.body:
        if isinstance(node, ast.FunctionDef):
            namespace[node.name] = compiler(namespace[node.name])
    arrays = [key for key in keys if key in array_keys(objects)]
    reads = {
        "waypoints": "(reversed_waypoints if is_reversed[car] else waypoints)",
        **{key: f"({key}[car, 0], {key}[car, 1])" for key in ("closest_waypoints", "closest_objects")},
        # Tuples: like lists they can be looped over, unpacked and indexed by a variable.
        **{key: _tuple(f"{key}[car, {{}}]", objects) for key in OBJECT_KEYS},
        "objects_location": _tuple("(objects_location[car, {0}, 0], objects_location[car, {0}, 1])", objects),
        **{key: key for key in _CONSTANTS},
    }
    arguments = ", ".join(reads.get(key, f"{key}[car]") for key in keys)
    # The function's own module has names of its own, so the loop gets another one.
    others = [key for key in arrays if key != "is_reversed"]
    head = ["rewards", "is_reversed", "waypoints", "reversed_waypoints", *_CONSTANTS, *others]
    loop = f"def kernel({', '.join(head)}):\n for car in range(len(rewards)):\n  rewards[car] = call({arguments})\n"
    loop_namespace = {"call": namespace[FUNCTION]}
    exec(loop, loop_namespace)
    return compiler(loop_namespace["kernel"])


def _tuple(item: str, count: int) -> str:
    return "(" + "".join(f"{item.format(i)}, " for i in range(count)) + ")"


def _caller(kernel: Callable, keys: list[str], road: Any, cars: int) -> Callable[[ParamArrays], np.ndarray]:
    forward: Any = 0
    backward: Any = 0
    if "waypoints" in keys:
        from numba.typed import List

        forward, backward = List(road.waypoints), List(road.waypoints[::-1])
    others = [key for key in keys if key in (*ARRAY_KEYS, *OBJECT_KEYS) and key != "is_reversed"]
    width, length = float(road.width), float(road.length)

    def reward_of(values: ParamArrays) -> np.ndarray:
        rewards = np.empty(cars)
        arrays = [getattr(values, key) for key in others]
        kernel(rewards, values.is_reversed, forward, backward, width, length, *arrays)
        return rewards

    return reward_of


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    useful = [line for line in lines if not line.startswith(("Failed in nopython", "During:"))]
    return (useful or lines or [type(error).__name__])[0][:160]
