"""What the stages of any environment have in common: the preset by its name, the environment by its name or source."""

import argparse
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import kuberacer
from kuberacer.coach.environment_model import Parameter
from kuberacer.coach.environment_preset import PRESET_KEY, EnvironmentPreset, read_settings
from kuberacer.coach.json_input import read_object, shown
from kuberacer.errors import UserError

PRESETS = Path(kuberacer.__file__).parents[1] / "presets" / "environments"


def add_environment(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--environment", default="", help="short name, Gymnasium id, or module:Class (default: preset's)"
    )
    parser.add_argument("--source", default="", help="Python source of the module own_environment, text")
    parser.add_argument(
        "--environment-parameters", default="", help="JSON: what it is made with, before what the preset says, text"
    )


def with_given(parameters: Mapping[str, Parameter], given: str) -> dict[str, Parameter]:
    """An environment's parameters, with those of a JSON text in their place. Raises UserError."""
    found = read_object(given, "environment parameters") if given.strip() else {}
    for key, value in found.items():
        if not isinstance(value, bool | int | float | str):
            raise UserError(f"environment parameters: {key} is {shown(value)}", "give numbers and texts")
    return {**parameters, **found}


def preset_source(given: str, settings: Mapping[str, Any]) -> str:
    """The preset's source: that of RLCOACH_PRESET's name, else the given text. Raises UserError."""
    name = settings.get(PRESET_KEY)
    if name is None:
        if not given.strip():
            raise UserError(
                "no preset is given", f"give PRESET=presets/environments/mountain_car_dqn.py, or {PRESET_KEY}"
            )
        return given
    file = name.removesuffix(".py").removeprefix("preset-").replace("-", "_")
    names = sorted(path.stem for path in PRESETS.glob("*.py"))
    if not re.fullmatch(r"\w+", file) or file not in names:
        raise UserError(f"hyperparameters: {PRESET_KEY} is {name!r}", f"choose one of: {', '.join(names)}")
    return (PRESETS / f"{file}.py").read_text(encoding="utf-8")


def open_preset(preset: str, hyperparameters: str) -> tuple[str, EnvironmentPreset]:
    """(the preset's source, the preset with the hyperparameters in it)."""
    settings = read_settings(hyperparameters)
    source = preset_source(preset, settings)
    return source, EnvironmentPreset.load(source, settings)
