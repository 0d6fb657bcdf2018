"""The frozen graphs of a training's iterations, `<run>/model/model_N.pb`: all of them, or every k-th."""

import os
from collections.abc import Iterable, Mapping

from kuberacer.errors import UserError
from kuberacer.store.client import ObjectStore

VARIABLE = "KUBERACER_KEEP_GRAPHS"


def kept_every(environment: Mapping[str, str] = os.environ) -> int:
    """k of KUBERACER_KEEP_GRAPHS. 1: all, as DeepRacer keeps them. Raises UserError."""
    text = environment.get(VARIABLE, "").strip() or "1"
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise UserError(f"{VARIABLE} is {text!r}", "give a whole number from 1: every so many-th graph is kept")
    return int(text)


def thin_graphs(store: ObjectStore, run: str, gone: Iterable[int], every: int) -> None:
    """Remove the graphs of iterations whose checkpoints are gone, but for every k-th: the last and the best stay."""
    store.delete_all([f"{run}/model/model_{iteration}.pb" for iteration in gone if iteration % every])
