"""Export a model in DeepRacer's layout, as its console and deepracer-for-cloud take it.

model/ (checkpoint, metadata, frozen graph, list of checkpoints), ip/hyperparameters.json, reward_function.py where it
is known, and train-output/model.tar.gz for the car.
"""

import argparse
import json
import shutil
import tarfile
import time
from pathlib import Path

from kuberacer.coach.checkpoint_files import PARTS, POINTER
from kuberacer.coach.freeze import freeze_checkpoint
from kuberacer.errors import UserError, run_main
from kuberacer.formats.car_archive import write_car_archive
from kuberacer.formats.checkpoints_json import CheckpointEntry, Checkpoints
from kuberacer.rollout import pretrained
from kuberacer.rollout.model_files import METADATA
from kuberacer.rollout.model_folder import HYPERPARAMETERS, LIST, ModelFolder
from kuberacer.settings import StoreSettings
from kuberacer.stages.arguments import stage_parser
from kuberacer.stages.publish import for_the_car
from kuberacer.store.client import ObjectStore, split_address


def main() -> None:
    options = arguments()
    check_target(options.to)
    model = fetched(options.source, options.which, options.scratch)
    folder = options.scratch / "layout"
    lay_out(model, folder, options.reward)
    deliver(folder, options.to)
    print(f"exported {model.name} to {options.to}", flush=True)


def fetched(source: str, which: str, scratch: Path) -> ModelFolder:
    if Path(source).is_dir():
        return ModelFolder.find(Path(source), which)
    return pretrained.fetch(StoreSettings.from_environment(), source, which, scratch / "fetched")


def lay_out(model: ModelFolder, folder: Path, reward: Path | None) -> None:
    """Write DeepRacer's layout of one checkpoint, which is both the best and the last there."""
    place = folder / "model"
    place.mkdir(parents=True)
    for part in PARTS:
        shutil.copyfile(f"{model.prefix}{part}", place / f"{model.name}{part}")
    (place / POINTER).write_text(model.name)
    (place / METADATA).write_text(model.metadata.to_json(), encoding="utf-8")
    entry = CheckpointEntry(model.name, progress_of(model), time.time())
    Checkpoints(entry, entry).write(place / LIST)
    graph = folder / "model.pb"
    freeze_checkpoint(place, graph, model.metadata)
    shutil.copyfile(graph, place / f"model_{model.iteration}.pb")
    shutil.copyfile(place / METADATA, folder / METADATA)
    write_car_archive(folder / "train-output" / "model.tar.gz", *for_the_car(folder))
    graph.unlink()
    if (model.folder / HYPERPARAMETERS).is_file():
        (folder / "ip").mkdir()
        values = json.loads((model.folder / HYPERPARAMETERS).read_text(encoding="utf-8"))
        (folder / "ip" / HYPERPARAMETERS).write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    if reward is not None:
        shutil.copyfile(reward, folder / "reward_function.py")


def progress_of(model: ModelFolder) -> float:
    """Percent of the lap, as the model's list of checkpoints has it."""
    if (model.folder / LIST).is_file():
        listed = Checkpoints.parse((model.folder / LIST).read_text(encoding="utf-8"))
        for entry in (listed.best_checkpoint, listed.last_checkpoint):
            if entry.name == model.name:
                return entry.avg_eval_metric or 0.0
    return 0.0


def check_target(to: str) -> None:
    """Nothing that is there is written over. Raises UserError."""
    if to.startswith("s3://"):
        bucket, prefix = split_address(to)
        store = bucket_of(bucket)
        if next(store.list(f"{prefix.rstrip('/')}/"), None) is not None:
            raise UserError(f"there is something at {to}", "give TO another prefix, or remove what is there")
        return
    path = Path(to)
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise UserError(f"{to} is there", "give TO another name, or remove it")


def bucket_of(bucket: str) -> ObjectStore:
    return ObjectStore(StoreSettings.from_environment().model_copy(update={"kuberacer_s3_bucket": bucket}))


def deliver(folder: Path, to: str) -> None:
    """A folder, an archive or a prefix: whole, or for the first two not there."""
    if to.startswith("s3://"):
        bucket, prefix = split_address(to)
        store = bucket_of(bucket)
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            store.put_file(f"{prefix.rstrip('/')}/{file.relative_to(folder).as_posix()}", file)
        return
    path = Path(to)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        if path.name.endswith((".tar.gz", ".tgz")):
            with tarfile.open(part, "w:gz", compresslevel=1) as archive:
                for file in sorted(entry for entry in folder.rglob("*") if entry.is_file()):
                    archive.add(file, file.relative_to(folder).as_posix(), filter=nobodys)
        else:
            shutil.copytree(folder, part)
        part.replace(path)
    finally:
        shutil.rmtree(part, ignore_errors=True)
        part.unlink(missing_ok=True)


def nobodys(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without this machine's users."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o644
    return member


def arguments() -> argparse.Namespace:
    parser = stage_parser(
        "export_model",
        __doc__ or "",
        "python -m kuberacer.stages.export_model --from out/latest/model --scratch scratch/ --to my-model.tar.gz",
    )
    parser.add_argument("--from", dest="source", required=True, help="model folder, or a run in the store")
    parser.add_argument("--which", default="best", help="best or last (%(default)s)")
    parser.add_argument("--to", required=True, help="folder, .tar.gz, or s3://bucket/prefix")
    parser.add_argument("--reward", type=Path, help="the reward function's source, which goes along")
    parser.add_argument("--scratch", type=Path, required=True, help="folder to work in; not there yet")
    options = parser.parse_args()
    options.scratch.mkdir(parents=True)
    return options


if __name__ == "__main__":
    run_main(main)
