"""The simulator's rules as JSON, so that workers drive the race of their trainer without reading any YAML."""

from dataclasses import asdict, fields, is_dataclass
from typing import Any, TypeVar, get_type_hints

from kuberacer.sim.episode import SimConfig

T = TypeVar("T")


def rules_to_json(rules: SimConfig) -> dict[str, Any]:
    return asdict(rules)


def rules_from_json(data: dict[str, Any]) -> SimConfig:
    """Raises TypeError or ValueError for what rules_to_json has not made."""
    return _read(SimConfig, data)


def _read(kind: type[T], data: Any) -> T:
    if not isinstance(data, dict):
        raise TypeError(f"{kind.__name__} is {data!r:.80}")
    hints = get_type_hints(kind)
    unknown = data.keys() - {field.name for field in fields(kind)}  # type: ignore[arg-type]
    if unknown:
        raise ValueError(f"{kind.__name__} has no {', '.join(sorted(unknown))}")
    return kind(**{name: _value(hints[name], value) for name, value in data.items()})


def _value(hint: Any, value: Any) -> Any:
    if is_dataclass(hint):
        return _read(hint, value)  # type: ignore[arg-type]
    return tuple(_value(None, item) for item in value) if isinstance(value, list | tuple) else value
