"""The command `kuberacer`."""

import errno
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from kuberacer.errors import UserError
from kuberacer.run import given, serving, training, upkeep
from kuberacer.run.interrupts import Interrupted, Stopped, raised_on_signals
from kuberacer.run.options import AllowedImports, EvaluationRace, Out, Race, Requirements, Reward, Track, Which
from kuberacer.run.record import run_named

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

training.add_to(app)


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
