"""Modules that rl_coach imports at its top and that are gone, renamed, or slow to load for what it needs of them."""

import collections
import collections.abc
import functools
import importlib
import shutil
import types
from collections.abc import Callable
from typing import Any

from kuberacer.coach.compat.logger_table import Table


def _module(name: str, **members: Any) -> types.ModuleType:
    made = types.ModuleType(f"kuberacer.coach.compat.{name}")
    made.__dict__.update(members)
    return made


def _when_used(name: str) -> types.ModuleType:
    """A module whose members are looked up, and submodules imported, at first use."""

    def member(key: str) -> Any:
        real = importlib.import_module(name)
        try:
            return getattr(real, key)
        except AttributeError:
            return importlib.import_module(f"{name}.{key}")

    return _module(name, __getattr__=member)


def _scipy() -> types.ModuleType:
    """Its parts are loaded when they are first used: scipy.signal takes a third of the time that TensorFlow does."""
    parts = ("ndimage", "signal", "spatial", "stats")
    return _module("scipy", **{part: _when_used(f"scipy.{part}") for part in parts})


def _collections() -> types.ModuleType:
    def member(name: str) -> Any:  # collections.Iterable and others moved to collections.abc
        return getattr(collections, name) if hasattr(collections, name) else getattr(collections.abc, name)

    return _module("collections", __getattr__=member)


def _distutils() -> types.ModuleType:
    dir_util = _module(
        "distutils.dir_util",
        copy_tree=lambda source, target, **_: shutil.copytree(source, target, dirs_exist_ok=True),
        remove_tree=lambda folder, **_: shutil.rmtree(folder),
    )
    return _module("distutils", dir_util=dir_util)


def _skimage() -> types.ModuleType:
    def resize(*arguments: Any, **options: Any) -> Any:
        return importlib.import_module("skimage.transform").resize(*arguments, **options)

    return _module("skimage", transform=_module("skimage.transform", resize=resize))


def _minio() -> types.ModuleType:
    class Minio:
        def __init__(self, *_: Any, **__: Any):
            raise NotImplementedError("rl_coach's S3 data store is not used: KubeRacer keeps checkpoints in its own")

    class ResponseError(Exception):
        pass

    return _module("minio", Minio=Minio, error=_module("minio.error", ResponseError=ResponseError))


def _pygame() -> types.ModuleType:
    """rl_coach.renderer makes a clock and closes the display; nothing is drawn here."""
    return _module(
        "pygame",
        locals=_module("pygame.locals", HWSURFACE=0, DOUBLEBUF=0),
        time=types.SimpleNamespace(Clock=lambda: None),
        display=types.SimpleNamespace(quit=lambda: None),
        quit=lambda: None,
    )


MODULES: dict[str, Callable[[], types.ModuleType]] = {
    "collections": functools.cache(_collections),
    "distutils": functools.cache(_distutils),
    "minio": functools.cache(_minio),
    "pandas": functools.cache(lambda: _module("pandas", DataFrame=Table)),
    "pygame": functools.cache(_pygame),
    "redis": functools.cache(lambda: _when_used("redis")),
    "scipy": functools.cache(_scipy),
    "skimage": functools.cache(_skimage),
}
