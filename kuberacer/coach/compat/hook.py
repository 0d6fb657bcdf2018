"""The import hook: modules of rl_coach are executed with an `__import__` of their own."""

import builtins
import importlib.machinery
import sys
import types
import warnings
from typing import Any

PACKAGE = "rl_coach"
# Where each old name is made, loaded at first use: metadata and hyperparameters must not wait for TensorFlow.
_SHIMS = {
    "tensorflow": "tensorflow_names",
    "gym": "gym_names",
    **dict.fromkeys(
        ("collections", "distutils", "minio", "pandas", "pygame", "redis", "scipy", "skimage"), "small_names"
    ),
}


def _import(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
    root, _, rest = name.partition(".")
    # Submodules of TensorFlow (tensorflow.python.…) are the same as ever, only the top's names have changed.
    if level or root not in _SHIMS or (root == "tensorflow" and rest):
        return builtins.__import__(name, globals, locals, fromlist, level)
    top: Any = importlib.import_module(f"kuberacer.coach.compat.{_SHIMS[root]}").MODULES[root]()
    found = top
    for part in rest.split(".") if rest else ():
        found = getattr(found, part)
    return found if fromlist else top


_BUILTINS = {**vars(builtins), "__import__": _import}


class _Loader(importlib.machinery.SourceFileLoader):
    def source_to_code(self, *arguments: Any, **options: Any) -> Any:  # type: ignore[override]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # `is not 0` in rl_coach
            return super().source_to_code(*arguments, **options)

    def exec_module(self, module: types.ModuleType) -> None:
        module.__dict__["__builtins__"] = _BUILTINS
        super().exec_module(module)
        patches = importlib.import_module("kuberacer.coach.compat.patches").AFTER_IMPORT
        if module.__name__ in patches:
            patches[module.__name__](module)


class _Finder:
    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if name.partition(".")[0] != PACKAGE:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


def install() -> None:
    """Put the hook first. Raises ImportError when rl_coach was imported without it."""
    if _Finder in sys.meta_path:
        return
    loaded = [name for name in sys.modules if name.partition(".")[0] == PACKAGE]
    if loaded:
        raise ImportError(f"import kuberacer.coach before {loaded[0]}")
    sys.meta_path.insert(0, _Finder)  # type: ignore[arg-type]


def load_source(source: str, name: str, filename: str) -> types.ModuleType:
    """Execute a user's Python text, written in rl_coach's dialect, as the module `name`; tracebacks show `filename`."""
    module = types.ModuleType(name)
    module.__dict__.update({"__builtins__": _BUILTINS, "__file__": filename})
    exec(compile(source, filename, "exec"), module.__dict__)
    return module
