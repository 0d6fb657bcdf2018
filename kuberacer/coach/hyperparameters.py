"""DeepRacer's `hyperparameters.json` (values may be strings) with KubeRacer's additional keys.

Pure Python: importable without TensorFlow. The rules are in `hyperparameter_rules.py`.
"""

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self

from kuberacer.coach.hyperparameter_rules import DEEPRACER_KEYS, RULES, Rule
from kuberacer.coach.json_input import number, read_object, shown
from kuberacer.errors import UserError

DOCUMENT = "hyperparameters"


@dataclass(frozen=True)
class Hyperparameters:
    """Every hyperparameter of the algorithm with its value: `hyper["lr"]`. `given`: the keys that the user set."""

    algorithm: str
    values: Mapping[str, Any]
    given: frozenset[str] = frozenset()

    def __getitem__(self, key: str) -> Any:
        return self.values[key]

    @classmethod
    def parse(cls, text: str | None, algorithm: str) -> Self:
        """Read and check a hyperparameters file; None or blank text gives the defaults.

        A file with all of DeepRacer's keys, as its tools write it, may hold keys that this algorithm does not have:
        they are checked and left out. Raises UserError naming the key, its value and the range.
        """
        if algorithm not in RULES:
            raise UserError(f"algorithm is {shown(algorithm)}", f"choose one of: {', '.join(RULES)}")
        rules = RULES[algorithm]
        given = read_object(text, DOCUMENT) if text is not None and text.strip() else {}
        whole_file = given.keys() >= DEEPRACER_KEYS
        found = {}
        for key, value in given.items():
            if key in rules:
                found[key] = checked(key, value, rules[key], algorithm)
            elif whole_file and key in DEEPRACER_KEYS:
                owner = next(name for name in RULES if key in RULES[name])
                checked(key, value, RULES[owner][key], owner)
            else:
                raise _unknown(key, algorithm)
        values = {key: rule.default for key, rule in rules.items()} | found
        return cls(algorithm, MappingProxyType(values), frozenset(found))

    @classmethod
    def of_any(cls, text: str | None) -> dict[str, Any]:
        """Every algorithm's keys, unchecked: to ask a preset which algorithm it makes of them."""
        given = read_object(text, DOCUMENT) if text is not None and text.strip() else {}
        defaults = {key: rule.default for rules in RULES.values() for key, rule in rules.items()}
        return {key: value for key, value in {**defaults, **given}.items() if value is not None}

    def to_json(self) -> str:
        """The file's text: every key that has a value, readable by DeepRacer's tools."""
        values = {key: value for key, value in self.values.items() if value is not None}
        return json.dumps(values, indent=2, sort_keys=True) + "\n"


def _unknown(key: str, algorithm: str) -> UserError:
    owners = [f"{name} ({RULES[name][key].range_text()})" for name in RULES if key in RULES[name]]
    if owners:
        cause = f"{DOCUMENT}: {algorithm} has no {key}; it belongs to {', '.join(owners)}"
        return UserError(cause, f"remove {key}, or choose another algorithm")
    near = difflib.get_close_matches(key, RULES[algorithm], n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return UserError(
        f"{DOCUMENT}: {algorithm} has no {shown(key)}", f"{hint}its keys are: {', '.join(sorted(RULES[algorithm]))}"
    )


def checked(key: str, value: Any, rule: Rule, algorithm: str) -> Any:
    """The value as int, float or word; UserError when it is of another kind or out of range."""
    default = "" if rule.default is None else f" (default {rule.default})"
    error = UserError(
        f"{DOCUMENT}: {key} is {shown(value)}; {algorithm} takes {rule.range_text()}",
        f"give {key} {'one of' if rule.choices else 'as'} {rule.range_text()}, or leave it out{default}",
    )
    if rule.choices:
        word = str(value).strip().lower() if isinstance(value, str) else None
        if word not in rule.choices:
            raise error
        return word
    found = number(value)
    if found is None or not rule.low <= found <= rule.high or (rule.kind is int and not found.is_integer()):
        raise error
    return rule.kind(found)
