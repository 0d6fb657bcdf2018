"""Strict access to the mappings of a document: whatever was not asked for is an error with its name."""

from typing import Any

from kuberacer.errors import UserError


class Fields:
    """One mapping of the spec. Take every key that is known, then call done()."""

    def __init__(self, value: Any, where: str):
        if not isinstance(value, dict):
            raise UserError(f"{where} is not a mapping", "compile the pipeline again with kfp")
        self._left = dict(value)
        self.where = where

    def take(self, key: str, kind: type | tuple[type, ...], default: Any = ...) -> Any:
        """The value of a key; without a default the key must be there. Raises UserError on a value of another kind."""
        if key not in self._left:
            if default is ...:
                raise UserError(f"{self.where}: {key} is missing", "compile the pipeline again with kfp")
            return default
        value = self._left.pop(key)
        if not isinstance(value, kind):
            raise UserError(f"{self.where}: {key} is {value!r:.60}", "compile the pipeline again with kfp")
        return value

    def fields(self, key: str) -> "Fields":
        """The mapping under a key, empty when it is not there."""
        return Fields(self.take(key, dict, {}), f"{self.where}.{key}")

    def items(self) -> list[tuple[str, "Fields"]]:
        """Every key with the mapping under it."""
        found = [(str(key), Fields(value, f"{self.where}.{key}")) for key, value in self._left.items()]
        self._left.clear()
        return found

    def has(self, key: str) -> bool:
        return key in self._left

    def done(self) -> None:
        """Raises UserError naming the first key that was not taken."""
        for key in self._left:
            raise UserError(
                f"{self.where}: {key} is not known to KubeRacer",
                "leave this construct out of the pipeline, or run the pipeline on Kubeflow Pipelines itself",
            )
