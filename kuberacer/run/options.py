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
Algorithm = Annotated[str | None, typer.Option(help="clipped_ppo, sac or dqn.")]
Metadata = Annotated[Path | None, typer.Option(help="DeepRacer's model_metadata.json.")]
Cars = Annotated[int | None, typer.Option(min=1, help="Cars that drive at once.")]
PendingMinutes = Annotated[
    float, typer.Option(min=0.1, help="On a cluster: how long a stage's pod may wait before the run is ended.")
]
Out = Annotated[Path, typer.Option(help="Folder of all runs.")]


class Backend(StrEnum):
    LOCAL = "local"
    ARGO = "argo"
    KFP = "kfp"
