"""A reward's text, whatever it is written in, as something that computes rewards."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np

from kuberacer.formats.reward_document import DOCUMENT_NAME, RewardDocument, is_document
from kuberacer.reward.command import CommandReward
from kuberacer.reward.http_reward import HttpReward
from kuberacer.reward.process import RewardProcess
from kuberacer.reward.runner import RoadFacts
from kuberacer.reward.source import DEFAULT_NAME
from kuberacer.sim.params import ParamArrays


class Reward(Protocol):
    """path: how it runs ("compiled", "plain", "JavaScript" …); limits: which hold."""

    path: str
    why_plain: str

    @property
    def limits(self) -> Sequence[str]: ...

    def __call__(self, values: ParamArrays) -> np.ndarray: ...

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def open_reward(
    text: str,
    track: RoadFacts,
    cars: int,
    *,
    name: str = "",
    objects: int = 0,
    seed: int = 0,
    cpu_s: int | None = None,
    strict_output: bool = False,
    extra_paths: Sequence[str | Path] = (),
    allowed_imports: Iterable[str] | None = None,
    timeout_s: float = 10.0,
    compile: bool = True,
) -> Reward:
    """The arguments are those of RewardProcess; a document has its own timeout and knows nothing of the last four.

    Raises UserError."""
    if not is_document(text):
        return RewardProcess(
            text, track, cars, name=name or DEFAULT_NAME, objects=objects, seed=seed, cpu_s=cpu_s,
            strict_output=strict_output, extra_paths=extra_paths, allowed_imports=allowed_imports,
            timeout_s=timeout_s, compile=compile,
        )  # fmt: skip
    document = RewardDocument.parse(text, name or DOCUMENT_NAME)
    if document.http:
        return HttpReward(document, track, cars, objects=objects, seed=seed)
    return CommandReward(document, track, cars, objects=objects, seed=seed, cpu_s=cpu_s, strict_output=strict_output)


def language(text: str) -> str:
    """What the reward is written in, for people."""
    return RewardDocument.parse(text, DOCUMENT_NAME).language if is_document(text) else "Python"


def readable(text: str) -> str:
    """The reward as a report shows it."""
    return RewardDocument.parse(text, DOCUMENT_NAME).readable() if is_document(text) else text
