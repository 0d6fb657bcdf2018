"""A reward function's source: what can be known without running it.

Faults are UserErrors whose cause begins with file:line.
"""

import ast
import difflib
import hashlib
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from kuberacer.errors import UserError
from kuberacer.reward.keys_read import keys_read
from kuberacer.reward.statements import is_main_block, keeps_no_state

FUNCTION = "reward_function"
DEFAULT_NAME = "reward_function.py"
MAX_CHARACTERS = 200_000
# Modules that need neither files, network, processes nor the clock.
DEFAULT_IMPORTS = frozenset(
    (
        "__future__", "abc", "array", "bisect", "cmath", "collections", "contextlib", "copy", "dataclasses", "decimal",
        "enum", "fractions", "functools", "heapq", "itertools", "json", "math", "numbers", "numpy", "operator",
        "random", "re", "scipy", "statistics", "string", "typing",
    )
)  # fmt: skip
EXAMPLE = "def reward_function(params): … return a number"


@dataclass(frozen=True)
class RewardSource:
    """text: the Python source. name: its file's name, for messages. imports: the modules it may import, None: any."""

    text: str
    name: str
    imports: frozenset[str] | None

    @classmethod
    def check(
        cls, text: str, name: str = DEFAULT_NAME, allowed_imports: Iterable[str] | None = DEFAULT_IMPORTS
    ) -> "RewardSource":
        """Raises UserError: syntax, no reward_function, its signature, imports, keys that params does not have."""
        source = cls(text, name, None if allowed_imports is None else frozenset(allowed_imports))
        source._check_function()
        source._check_imports()
        source._check_keys()
        return source

    @cached_property
    def digest(self) -> str:
        """sha256 of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @cached_property
    def tree(self) -> ast.Module:
        """Raises UserError on a syntax error."""
        if len(self.text) > MAX_CHARACTERS:
            raise self.fault(1, f"{len(self.text):,} characters, at most {MAX_CHARACTERS:,}", "shorten the file")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # "\d" in a string is no business of ours
                tree = ast.parse(self.text, self.name)
                compile(tree, self.name, "exec", dont_inherit=True)  # finds `return` outside a function and the like
        except SyntaxError as error:
            line = (error.text or "").strip()
            what = f"syntax error: {error.msg}" + (f": {line[:80]}" if line else "")
            raise self.fault(error.lineno or 1, what, "correct the line, or the one before it") from None
        except (ValueError, RecursionError, MemoryError) as error:
            raise self.fault(1, f"not readable as Python: {error}", f"write it as: {EXAMPLE}") from None
        return tree

    @cached_property
    def keys(self) -> tuple[str, ...] | None:
        """Keys of params that the function reads, sorted; None when params leaves its sight (then it needs all)."""
        found = keys_read(self.tree, FUNCTION)
        return None if found is None else tuple(sorted(found))

    @cached_property
    def stateless(self) -> bool:
        """Whether it is certain that nothing is remembered between calls."""
        return keeps_no_state(self.tree)

    def fault(self, line: int, what: str, remedy: str) -> UserError:
        """The error for one line of this file."""
        return UserError(f"{self.name}:{line}: {what}", remedy)

    def line_of_call(self, *names: str) -> int:
        """The first line that calls a function or method of one of these names; 1 when none does."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                called = getattr(node.func, "attr", getattr(node.func, "id", ""))
                if called in names:
                    return node.lineno
        return 1

    def _check_function(self) -> None:
        for node in reversed(self.tree.body):
            if isinstance(node, ast.FunctionDef) and node.name == FUNCTION:
                return self._check_signature(node)
            if isinstance(node, ast.AsyncFunctionDef) and node.name == FUNCTION:
                raise self.fault(node.lineno, f"{FUNCTION} is async", f"write it as: {EXAMPLE}")
            # Assigned, as in `reward_function = Reward().compute`: the signature shows when it is called.
            if FUNCTION in _names_bound(node):
                return None
        functions = {node.name: node.lineno for node in self.tree.body if isinstance(node, ast.FunctionDef)}
        near = difflib.get_close_matches(FUNCTION, functions, n=1, cutoff=0.5)
        if near:
            what = f"there is no {FUNCTION}, but a function {near[0]}"
            raise self.fault(functions[near[0]], what, f"name it {FUNCTION}")
        raise self.fault(1, f"there is no function {FUNCTION} in the file", f"add: {EXAMPLE}")

    def _check_signature(self, function: ast.FunctionDef) -> None:
        given = function.args
        positional = given.posonlyargs + given.args
        needed = len(positional) - len(given.defaults)
        keywords = [
            argument for argument, default in zip(given.kwonlyargs, given.kw_defaults, strict=True) if not default
        ]
        if needed > 1 or keywords or (not positional and not given.vararg):
            signature = f"{FUNCTION}({ast.unparse(given)})"
            raise self.fault(
                function.lineno, f"wrong signature {signature}", f"it takes one argument: def {FUNCTION}(params):"
            )

    def _check_imports(self) -> None:
        for node in ast.walk(ast.Module([node for node in self.tree.body if not is_main_block(node)], [])):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                modules = ["." * node.level + (node.module or "")]
            else:
                continue
            for module in modules:
                self.check_import(module, node.lineno)

    def check_import(self, module: str, line: int) -> None:
        """Raises UserError when the file may not import that module."""
        root = module.partition(".")[0]
        if self.imports is not None and root not in self.imports:
            raise self.fault(line, f"import of {module!r} is not allowed", _import_remedy(root, self.imports))

    def _check_keys(self) -> None:
        from kuberacer.sim.params import ALL_KEYS

        if self.keys is None:
            return
        written = {key for key, node in self._constant_subscripts() if isinstance(node.ctx, ast.Store)}
        for key, node in self._constant_subscripts():
            if key in self.keys and key not in ALL_KEYS and key not in written:
                near = difflib.get_close_matches(key, ALL_KEYS, n=1)
                remedy = f"did you mean {near[0]!r}?" if near else f"the keys are {', '.join(sorted(ALL_KEYS))}"
                raise self.fault(node.lineno, f"params has no key {key!r}", remedy)

    def _constant_subscripts(self) -> Iterator[tuple[str, ast.Subscript]]:
        """(text, node) of every `something["text"]` in the file."""
        for node in ast.walk(self.tree):
            if not (isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant)):
                continue
            if isinstance(node.slice.value, str):
                yield node.slice.value, node


def _names_bound(node: ast.stmt) -> set[str]:
    """Names that a statement at the top of a module binds; a class counts, its constructor is called."""
    if isinstance(node, ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.ImportFrom):
        return {alias.asname or alias.name for alias in node.names}
    return {name.id for name in ast.walk(node) if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)}


def _import_remedy(root: str, allowed: frozenset[str]) -> str:
    if root in ("time", "datetime"):
        return "use params['sim_time'] or params['steps']: training does not run in real time"
    names = ", ".join(sorted(allowed - {"__future__"}))
    return f"use one of {names}; modules from the package index come with `requirements`, others with `allowed_imports`"
