"""The commands that train: run and sweep."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kuberacer.errors import UserError
from kuberacer.run import given
from kuberacer.run.options import (
    Algorithm,
    AllowedImports,
    Backend,
    Cars,
    EvaluationRace,
    Metadata,
    Out,
    PendingMinutes,
    Race,
    Requirements,
    Reward,
    Track,
    Which,
)
from kuberacer.run.record import read_record, run_named

if TYPE_CHECKING:
    from kuberacer.run.remote.race import OnCluster


def run(
    track: Track = None,
    reward: Reward = None,
    race: Race = None,
    evaluation: EvaluationRace = None,
    algorithm: Algorithm = None,
    hyperparameters: Annotated[
        str | None, typer.Option(help="DeepRacer's hyperparameters.json, or an environment's: a file, or its text.")
    ] = None,
    metadata: Metadata = None,
    preset: Annotated[
        Path | None,
        typer.Option(help="rl_coach preset, a Python file: it decides on the algorithm."),
    ] = None,
    pretrained: Annotated[
        str | None,
        typer.Option(help="Model to go on from: a run, an imported model, a model folder, or an s3:// address."),
    ] = None,
    pretrained_checkpoint: Which = None,
    minutes: Annotated[float | None, typer.Option(min=0, help="How long to train. 0: until --steps.")] = None,
    steps: Annotated[int | None, typer.Option(min=0, help="Stop training after so many steps. 0: no limit.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything that is drawn.")] = None,
    cars: Cars = None,
    trials: Annotated[int | None, typer.Option(min=1, help="Laps of the evaluation.")] = None,
    off_track_penalty: Annotated[
        float | None, typer.Option(min=0, help="Seconds for each time off the track in the evaluation.")
    ] = None,
    collision_penalty: Annotated[
        float | None, typer.Option(min=0, help="Seconds for each collision in the evaluation.")
    ] = None,
    resets: Annotated[
        int | None, typer.Option(min=0, help="How often the car may be put back in one lap of the evaluation.")
    ] = None,
    training_videos: Annotated[
        int | None, typer.Option(min=0, help="A video of every so many-th training iteration. 0: none.")
    ] = None,
    rollout_workers: Annotated[
        int | None, typer.Option(min=0, help="Workers that drive cars for the trainer. 0: it drives them itself.")
    ] = None,
    cars_per_worker: Annotated[int | None, typer.Option(min=1, help="Cars that each worker drives at once.")] = None,
    queue: Annotated[str | None, typer.Option(help="Kueue's LocalQueue that admits the workers.")] = None,
    requirements: Requirements = None,
    allowed_imports: AllowedImports = None,
    registry: Annotated[
        str | None, typer.Option(help="On a cluster: build an image with the reward's modules into this registry.")
    ] = None,
    backend: Annotated[
        Backend | None, typer.Option(help="Where the stages run. Default: this machine (where RUN ran, with --resume).")
    ] = None,
    pending_minutes: PendingMinutes = 15.0,
    detach: Annotated[
        bool, typer.Option("--detach", help="On a cluster: submit the run and leave; --resume RUN follows it.")
    ] = False,
    resume: Annotated[
        str | None, typer.Option(metavar="RUN", help="Go on with an earlier run: its name, or `latest`.")
    ] = None,
    pipeline: Annotated[
        str | None,
        typer.Option(help="race, mountain_car, unity_basic, donkey_cte, or another file of pipelines/. Default: race."),
    ] = None,
    environment: Annotated[
        str | None,
        typer.Option(help="Not for races: a short name, a Gymnasium id, module:Class, or file.py:Class of your own."),
    ] = None,
    simulator: Annotated[
        str | None,
        typer.Option(
            help="A donkey simulator: its program, or host:port where it is to connect. Default: DONKEY_SIM_PATH, else "
            "our own."
        ),
    ] = None,
    checkpoint_runid: Annotated[str | None, typer.Option(help="MLflow run whose checkpoint to begin with.")] = None,
    checkpoint_id: Annotated[str | None, typer.Option(help="That checkpoint: N_Step-M.ckpt.")] = None,
    mlflow_experiment: Annotated[
        str | None, typer.Option(help="MLflow experiment to keep the training in; '' for none.")
    ] = None,
    mlflow_tracking_uri: Annotated[
        str | None, typer.Option(help="Where MLflow is. Default: MLFLOW_TRACKING_URI, else OUT/mlflow.")
    ] = None,
    copies: Annotated[int | None, typer.Option(min=1, help="Copies of the environment, stepped together.")] = None,
    unity_player: Annotated[
        str | None, typer.Option(help="Unity player for Linux: executable, archive, folder, or an s3:// address.")
    ] = None,
    unity_executable: Annotated[str | None, typer.Option(help="Its file, where a folder has several programs.")] = None,
    unity_timeout: Annotated[
        int | None, typer.Option(min=1, help="Seconds it may take for its start, or a step.")
    ] = None,
    episodes: Annotated[int | None, typer.Option(min=1, help="Episodes of an environment's evaluation.")] = None,
    out: Out = Path("out"),
) -> None:
    """Train, evaluate and publish a model. What a run makes is in OUT/<run>; OUT/latest points to the newest.

    With --backend argo or kfp the stages run on the cluster of your kubeconfig; Ctrl-C ends them there, and --resume
    RUN goes on from the last checkpoint.
    """
    from kuberacer.run.race import run_pipeline

    parameters = given.common(track, reward, requirements, allowed_imports) | {
        "algorithm": algorithm,
        "metadata": given.text_of(metadata, "metadata"),
        "preset": given.text_of(preset, "preset"),
        "pretrained_checkpoint": given.best_or_last(pretrained_checkpoint),
        "minutes": minutes,
        "steps": steps,
        "seed": seed,
        "cars": cars,
        "trials": trials,
        "off_track_penalty": off_track_penalty,
        "collision_penalty": collision_penalty,
        "resets": resets,
        "training_videos": training_videos,
        "rollout_workers": rollout_workers,
        "cars_per_worker": cars_per_worker,
        "queue": queue,
        "registry": registry,
        "checkpoint_runid": checkpoint_runid,
        "checkpoint_id": checkpoint_id,
        "mlflow_experiment": mlflow_experiment,
        "mlflow_tracking_uri": mlflow_tracking_uri,
        "copies": copies,
        "episodes": episodes,
    }
    parameters |= given.unity(unity_player, unity_executable, unity_timeout)
    parameters |= given.environment(environment) | given.simulator(simulator, pipeline)
    parameters |= given.races(race, evaluation, parameters)
    parameters |= given.hyperparameters(hyperparameters)
    resume = run_named(out, resume) if resume else None
    name = pipeline or (read_record(out / resume).get("pipeline", "race") if resume else "race")
    where = _where(backend, out / resume if resume else None, detach, pending_minutes)
    parameters |= given.pretrained(out, pretrained, algorithm, where is not None)
    run_pipeline(name, out, {name: value for name, value in parameters.items() if value is not None}, resume, where)


def sweep(
    seeds: Annotated[str | None, typer.Option(help="Seeds, separated by commas. Default: 0,1,2.")] = None,
    race: Race = None,
    settings: Annotated[
        Path | None,
        typer.Option(help='JSON file of named hyperparameters, such as {"default": {}, "slow": {"lr": 0.0001}}.'),
    ] = None,
    track: Track = None,
    reward: Reward = None,
    algorithm: Algorithm = None,
    metadata: Metadata = None,
    minutes: Annotated[
        float | None, typer.Option(min=0, help="How long to train each trial. 0: until --steps.")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=0, help="Steps of each trial at most. 0: no limit.")] = None,
    cars: Cars = None,
    rollout_workers: Annotated[
        int | None, typer.Option(min=0, help="Workers that drive cars for each trainer. 0: it drives them itself.")
    ] = None,
    requirements: Requirements = None,
    allowed_imports: AllowedImports = None,
    backend: Annotated[Backend | None, typer.Option(help="Where the stages run. Default: this machine.")] = None,
    pending_minutes: PendingMinutes = 15.0,
    resume: Annotated[
        str | None, typer.Option(metavar="RUN", help="Go on with an earlier sweep: its name, or `latest`.")
    ] = None,
    out: Out = Path("out"),
) -> None:
    """Train every setting with every seed, and compare them: table, curves, confidence intervals."""
    from kuberacer.run.race import run_pipeline

    parameters = given.common(track, reward, requirements, allowed_imports) | {
        "seeds": None if seeds is None else given.numbers(seeds),
        "settings": None if settings is None else given.json_of(settings),
        "algorithm": algorithm,
        "metadata": given.text_of(metadata, "metadata"),
        "minutes": minutes,
        "steps": steps,
        "cars": cars,
        "rollout_workers": rollout_workers,
    }
    parameters |= given.races(race, None, parameters)
    del parameters["evaluation"]
    resume = run_named(out, resume) if resume else None
    where = _where(backend, out / resume if resume else None, False, pending_minutes)
    run_pipeline("sweep", out, {name: value for name, value in parameters.items() if value is not None}, resume, where)


def _where(backend: Backend | None, resumed: Path | None, detach: bool, pending_minutes: float) -> "OnCluster | None":
    """None: on this machine. A run that is resumed goes on where it ran."""
    from kuberacer.run.record import earlier_remote

    before = earlier_remote(resumed) if resumed and backend is None else None
    name = before.backend if before else (backend or Backend.LOCAL).value
    if name == Backend.LOCAL.value:
        if detach:
            raise UserError("--detach is for runs on a cluster", "give --backend argo or kfp, too")
        return None
    from kuberacer.run.remote.race import OnCluster  # not at the top: the cluster's client is slow to import

    return OnCluster(name, detach, pending_minutes)


def add_to(app: typer.Typer) -> None:
    app.command(epilog="Example: kuberacer run --track kidney --algorithm clipped_ppo --minutes 2 --seed 1")(run)
    app.command(epilog="Example: kuberacer sweep --seeds 0,1,2 --settings settings.json --minutes 2")(sweep)
