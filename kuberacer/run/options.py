"""Options that several commands have."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

Reward = Annotated[
    str | None,
    typer.Option(help="Reward function: a Python file, a reward.yaml (another language), or the s3:// address of one."),
]
Track = Annotated[
    str | None,
    typer.Option(
        help="Track: a name (see `kuberacer tracks`), a DeepRacer route file (.npy), its folder or s3:// address."
    ),
]
Requirements = Annotated[
    Path | None, typer.Option(help="File of pip requirement lines for what the reward function imports.")
]
AllowedImports = Annotated[
    str | None, typer.Option(help="More modules that the reward function may import, separated by commas.")
]
Which = Annotated[str | None, typer.Option(help="Which checkpoint of the model: best or last. Default: best.")]
Race = Annotated[Path | None, typer.Option(help="The race: DeepRacer's training YAML. Default: a time trial.")]
EvaluationRace = Annotated[Path | None, typer.Option(help="YAML whose keys replace those of --race in the evaluation.")]
Out = Annotated[Path, typer.Option(help="Folder of all runs.")]


class Backend(StrEnum):
    LOCAL = "local"
    ARGO = "argo"
    KFP = "kfp"
