"""The command `kuberacer`."""

import errno
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from kuberacer.errors import UserError
from kuberacer.run import given, serving, upkeep
from kuberacer.run.interrupts import Interrupted, Stopped, raised_on_signals
from kuberacer.run.record import read_record, run_named

if TYPE_CHECKING:
    from kuberacer.run.remote.race import OnCluster

app = typer.Typer(
    name="kuberacer",
    help="From a reward function to a car that drives itself.",
    epilog="Example: kuberacer run --track kidney --reward rewards/follow_center_line.py --minutes 2",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)

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


class Backend(StrEnum):
    LOCAL = "local"
    ARGO = "argo"
    KFP = "kfp"


Out = Annotated[Path, typer.Option(help="Folder of all runs.")]


@app.command(epilog="Example: kuberacer run --track kidney --algorithm clipped_ppo --minutes 2 --seed 1")
def run(
    track: Track = None,
    reward: Reward = None,
    race: Race = None,
    evaluation: EvaluationRace = None,
    algorithm: Annotated[str | None, typer.Option(help="clipped_ppo, sac or dqn.")] = None,
    hyperparameters: Annotated[
        str | None, typer.Option(help="DeepRacer's hyperparameters.json, or an environment's: a file, or its text.")
    ] = None,
    metadata: Annotated[Path | None, typer.Option(help="DeepRacer's model_metadata.json.")] = None,
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
    cars: Annotated[int | None, typer.Option(min=1, help="Cars that drive at once.")] = None,
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
    pending_minutes: Annotated[
        float, typer.Option(min=0.1, help="On a cluster: how long a stage's pod may wait before the run is ended.")
    ] = 15.0,
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


@app.command(epilog="Example: kuberacer sweep --seeds 0,1,2 --settings settings.json --minutes 2")
def sweep(
    seeds: Annotated[str | None, typer.Option(help="Seeds, separated by commas. Default: 0,1,2.")] = None,
    race: Race = None,
    settings: Annotated[
        Path | None,
        typer.Option(help='JSON file of named hyperparameters, such as {"default": {}, "slow": {"lr": 0.0001}}.'),
    ] = None,
    track: Track = None,
    reward: Reward = None,
    algorithm: Annotated[str | None, typer.Option(help="clipped_ppo, sac or dqn.")] = None,
    metadata: Annotated[Path | None, typer.Option(help="DeepRacer's model_metadata.json.")] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0, help="How long to train each trial. 0: until --steps.")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=0, help="Steps of each trial at most. 0: no limit.")] = None,
    cars: Annotated[int | None, typer.Option(min=1, help="Cars that drive at once.")] = None,
    rollout_workers: Annotated[
        int | None, typer.Option(min=0, help="Workers that drive cars for each trainer. 0: it drives them itself.")
    ] = None,
    requirements: Requirements = None,
    allowed_imports: AllowedImports = None,
    backend: Annotated[Backend | None, typer.Option(help="Where the stages run. Default: this machine.")] = None,
    pending_minutes: Annotated[
        float, typer.Option(min=0.1, help="On a cluster: how long a stage's pod may wait before the run is ended.")
    ] = 15.0,
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


@app.command(epilog="Example: kuberacer validate --reward my_reward.py --track kidney")
def validate(
    reward: Reward = None,
    track: Track = None,
    race: Race = None,
    evaluation: EvaluationRace = None,
    requirements: Requirements = None,
    allowed_imports: AllowedImports = None,
    out: Out = Path("out"),
) -> None:
    """Check a reward function over a track and draw it; the exit status says whether it is valid."""
    from kuberacer.run.race import validate as check

    parameters = given.common(track, reward, requirements, allowed_imports)
    parameters |= given.races(race, evaluation, parameters)
    print("\n".join(check(out, {name: value for name, value in parameters.items() if value is not None})))


@app.command(epilog="Example: kuberacer tracks")
def tracks(out: Out = Path("out")) -> None:
    """List the tracks that come with KubeRacer, with length, width and a picture of each."""
    from kuberacer.run.tracks import list_tracks

    print("\n".join(list_tracks(out)))


@app.command(epilog="Example: kuberacer leaderboard --name club-2026")
def leaderboard(
    name: Annotated[str, typer.Option(help="LEADERBOARD_NAME of the runs to show. Default: all runs.")] = "",
    out: Out = Path("out"),
) -> None:
    """Rank the published models by their best lap: those of the bucket that KUBERACER_S3_BUCKET names, else of OUT."""
    from kuberacer.run.leaderboard import make_leaderboard

    print("\n".join(make_leaderboard(out, name)))


@app.command(epilog="Example: kuberacer replay-reward latest --reward my_reward.py --iterations 5-20")
def replay_reward(
    run: Annotated[str, typer.Argument(help="A finished run: its name, or `latest`.")] = "latest",
    reward: Annotated[
        Path | None, typer.Option(help="Reward function: a Python file. Default: the run's own, which is a check.")
    ] = None,
    iterations: Annotated[str, typer.Option(help="Iterations to replay it over, as 5-20. Default: all.")] = "",
    requirements: Requirements = None,
    allowed_imports: AllowedImports = None,
    out: Out = Path("out"),
) -> None:
    """Say what a reward function would have given for what a run has driven: a page and CSV files in the run's folder.

    Nothing is trained: correlation with the old reward, returns and ranks of the episodes, reward by place.
    """
    from kuberacer.run.replay import replay

    raise typer.Exit(replay(out / run_named(out, run), reward, iterations, requirements, allowed_imports or ""))


@app.command(epilog="Example: kuberacer watch --run latest")
def watch(
    run: Annotated[str, typer.Option(metavar="RUN", help="The run whose page to open, or `latest`.")] = "",
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Default: 8080, or a free one.")] = None,
    host: Annotated[
        str, typer.Option(help="Where to listen. Other machines need a token: KUBERACER_WATCH_TOKEN, or one made here.")
    ] = "127.0.0.1",
    out: Out = Path("out"),
) -> None:
    """Serve the live view: the runs of the bucket that KUBERACER_S3_BUCKET names, else of OUT, as they go. It reads
    only."""
    from kuberacer.run.watch import serve

    serve(out, run, port, host)


upkeep.add_to(app)
serving.add_to(app)


@app.command(epilog="Example: kuberacer import-model --from my-model.tar.gz --name club")
def import_model(
    from_: Annotated[str, typer.Option("--from", help="DeepRacer model: folder, .tar.gz, .zip or s3:// address.")],
    which: Which = None,
    name: Annotated[str, typer.Option(help="What to call it. Default: as the folder or archive.")] = "",
    out: Out = Path("out"),
) -> None:
    """Make a model to train on from, of one that DeepRacer's console or deepracer-for-cloud has trained."""
    from kuberacer.run.models import import_model as make

    print("\n".join(make(out, from_, given.best_or_last(which) or "best", name)))


@app.command(epilog="Example: kuberacer export-model --run latest --to my-model.tar.gz")
def export_model(
    run: Annotated[str, typer.Option(help="A run or an imported model: its name, its folder, or `latest`.")],
    to: Annotated[str, typer.Option(help="Where to: a folder, a .tar.gz, or s3://bucket/prefix; not there yet.")],
    which: Which = None,
    out: Out = Path("out"),
) -> None:
    """Write a model in DeepRacer's layout: for its console, deepracer-for-cloud, and the car."""
    from kuberacer.run.models import export_model as write

    print("\n".join(write(out, run_named(out, run), to, given.best_or_last(which) or "best")))


@app.command(name="compile", epilog="Example: kuberacer compile pipelines/sweep.py --output build/sweep.argo.yaml")
def compile_(
    pipeline: Annotated[Path | None, typer.Argument(help="Python file with a KFP pipeline. Default: race.")] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Where to write: a name that ends in .argo.yaml gets Argo's template, any other KFP's pipeline spec. "
            "Default: both, build/<pipeline>.kfp.yaml and build/<pipeline>.argo.yaml."
        ),
    ] = None,
) -> None:
    """Compile a pipeline for upload in the Kubeflow UI (pipeline spec) and the Argo UI (WorkflowTemplate)."""
    from kuberacer.run.argo import compile_argo
    from kuberacer.run.compile import compile_file, write_text
    from kuberacer.run.spec import read_pipeline

    source = pipeline or Path(__file__).parents[2] / "pipelines" / "race.py"
    text = compile_file(source)
    read_pipeline(text, str(source))
    targets = [output] if output else [Path("build") / f"{source.stem}.{kind}.yaml" for kind in ("kfp", "argo")]
    for target in targets:
        write_text(target, compile_argo(text) if target.name.endswith(".argo.yaml") else text)
        print(target)


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


def main() -> None:
    """Entry point: every fault ends as two lines, its cause and its remedy, and a status other than 0."""
    try:
        with raised_on_signals():
            app()
    except Interrupted as error:
        _end(Stopped(error.number, "run the command again"))
    except UserError as error:
        _end(error)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            _end(UserError("no space left on the disk", "free some space, and run again: finished work is kept"))
        _end(UserError(str(error), "see that the file or folder is there and may be written"))


def _end(error: UserError) -> NoReturn:
    sys.stdout.flush()
    print(error, file=sys.stderr, flush=True)
    sys.exit(error.exit_status if isinstance(error, Stopped) else 1)


if __name__ == "__main__":
    main()
