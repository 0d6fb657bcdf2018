"""Import a DeepRacer model: check an archive, a folder or an S3 prefix of anyone's, and make a model to train on from.

Nothing of it is run or unpickled: weights are read by name from the checkpoint, the graph (.meta) is not opened, and
the checkpoint, its graph and the frozen graph that come out are KubeRacer's own.
"""

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path

from kuberacer.coach.build import build_agent
from kuberacer.coach.graph_checks import check_graph
from kuberacer.coach.hyperparameters import Hyperparameters
from kuberacer.coach.transfer import load_weights, stack_size
from kuberacer.errors import UserError, run_main
from kuberacer.formats.checkpoints_json import CheckpointEntry, Checkpoints
from kuberacer.formats.unpack import Limits, extract
from kuberacer.rollout import pretrained
from kuberacer.rollout.model_files import METADATA
from kuberacer.rollout.model_folder import HYPERPARAMETERS, LIST, ModelFolder, refuse_pickles
from kuberacer.settings import StoreSettings
from kuberacer.stages.arguments import stage_parser

# A model with the two checkpoints that DeepRacer keeps has 330 MB, which hardly shrink.
LIMITS = Limits(total_bytes=4 << 30, members=2_000, ratio=100, free_bytes=512 << 20)
MOST_PACKED = 2 << 30


def main() -> None:
    options = arguments()
    model = fetched(options.source, options.which, options.scratch)
    frozen = model.folder / f"model_{model.iteration}.pb"
    if frozen.is_file():
        check_graph(frozen, model.metadata)
    print(f"found {model.name}: {model.metadata.algorithm}, {model.metadata.network}", flush=True)
    make(model, options.source, options.which, options.output)
    print(f"checked and converted {model.name}", flush=True)


def fetched(source: str, which: str, scratch: Path) -> ModelFolder:
    """The model of a folder, an archive or an s3:// address. Raises UserError."""
    if source.startswith("s3://"):
        return pretrained.fetch(StoreSettings.from_environment(), source, which, scratch / "fetched")
    path = Path(source)
    if path.is_dir():
        return ModelFolder.find(path, which)
    if not path.is_file():
        raise UserError(f"there is no {source}", "give FROM as a folder, a .tar.gz or .zip, or an s3:// address")
    if path.stat().st_size > MOST_PACKED:
        raise UserError(f"{path.name} has {path.stat().st_size >> 20} MiB", f"at most {MOST_PACKED >> 20} are taken")
    extract(path, scratch / "unpacked", LIMITS)
    refuse_pickles(scratch / "unpacked")
    return ModelFolder.find(scratch / "unpacked", which)


def make(model: ModelFolder, source: str, which: str, output: Path) -> None:
    """Write `output`/model, as a published run has it, with what the agent took of the model."""
    algorithm = model.metadata.algorithm
    stack = {"stack_size": stack_size(model.prefix, model.metadata)}
    hyper = Hyperparameters.parse(json.dumps(stack), algorithm)
    agent = build_agent(model.metadata, hyper, cars=1)
    told = pretrained.load(agent, model, load_weights)
    agent.steps_before, agent.total_steps = 0, model.steps
    folder = output / "model"
    agent.save(folder)
    agent.export_frozen(folder / f"model_{agent.iteration}.pb")
    agent.close()
    (folder / METADATA).write_text(model.metadata.to_json(), encoding="utf-8")
    (folder / HYPERPARAMETERS).write_text(json.dumps(stack), encoding="utf-8")
    told |= {
        "from": source if source.startswith("s3://") else Path(source).name,
        "which": which,
        "imported_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    (folder / pretrained.ORIGIN).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    listed = entry(model, which)
    Checkpoints(listed, listed).write(folder / LIST)


def entry(model: ModelFolder, which: str) -> CheckpointEntry:
    """What the model's own list says of the checkpoint."""
    if (model.folder / LIST).is_file():
        listed = Checkpoints.parse((model.folder / LIST).read_text(encoding="utf-8"))
        return listed.best_checkpoint if which == "best" else listed.last_checkpoint
    return CheckpointEntry(model.name, None, model.prefix.with_name(f"{model.name}.index").stat().st_mtime)


def arguments() -> argparse.Namespace:
    parser = stage_parser(
        "import_model",
        __doc__ or "",
        "python -m kuberacer.stages.import_model --from model.tar.gz --scratch scratch/ --output imported/",
    )
    parser.add_argument("--from", dest="source", required=True, help="folder, .tar.gz, .zip, or s3://bucket/prefix")
    parser.add_argument("--which", default="best", help="best or last (%(default)s)")
    parser.add_argument("--scratch", type=Path, required=True, help="folder for what is unpacked; not there yet")
    parser.add_argument("--output", type=Path, required=True, help="folder to write; not there yet")
    options = parser.parse_args()
    options.scratch.mkdir(parents=True)
    return options


if __name__ == "__main__":
    run_main(main)
