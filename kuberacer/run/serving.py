"""The commands around endpoints: deploy, predict, delete, list."""

import json
from pathlib import Path
from typing import Annotated

import typer

from kuberacer.endpoint import EXPIRES, PORT
from kuberacer.run.record import run_named

Run = Annotated[str, typer.Option("--run", help="The run whose endpoint it is: its name, or `latest`.")]
Name = Annotated[str, typer.Option(help="The endpoint's name.")]
Out = Annotated[Path, typer.Option(help="Folder of all runs.")]


def deploy_endpoint(
    run: Annotated[str, typer.Option("--run", help="A run that has published a model: its name, or `latest`.")],
    name: Annotated[str, typer.Option(help="What to call it: a-z, 0-9 and -. Default: as the run.")] = "",
    port: Annotated[int | None, typer.Option(min=0, max=65535, help=f"Default: {PORT}, or a free one.")] = None,
    expires: Annotated[
        str, typer.Option(help="After which time it deletes itself: 90s, 30m, 8h, 2d, or never.")
    ] = EXPIRES,
    host: Annotated[
        str, typer.Option(help="Where to listen. Other machines need a token, which is made here.")
    ] = "127.0.0.1",
    workers: Annotated[int, typer.Option(min=1, help="Processes that answer.")] = 2,
    out: Out = Path("out"),
) -> None:
    """Serve a run's model over HTTP, and wait until it is ready."""
    from kuberacer.run.endpoints.deploy import deploy

    print("\n".join(deploy(out, run_named(out, run), name, port, expires, host, workers)))


def predict(
    run: Run = "",
    name: Name = "",
    observation: Annotated[str, typer.Option(help="What is seen, as JSON: '[0.5, -0.5]'.")] = "",
    image: Annotated[
        list[Path] | None, typer.Option(help="A camera's picture (PNG or JPEG); several times for a stack of them.")
    ] = None,
    out: Out = Path("out"),
) -> None:
    """Ask an endpoint what to do for what is seen; prints its answer as JSON."""
    from kuberacer.run.endpoints.asking import predict as ask
    from kuberacer.run.endpoints.deploy import chosen

    print(json.dumps(ask(chosen(out, run_named(out, run), name).address, observation, image or [])))


def delete_endpoint(run: Run = "", name: Name = "", out: Out = Path("out")) -> None:
    """End an endpoint: requests that are being answered are answered first. Nothing is left of it."""
    from kuberacer.run.endpoints.deploy import delete

    print("\n".join(delete(out, run_named(out, run), name)))


def endpoints(out: Out = Path("out")) -> None:
    """List the endpoints with their addresses and when they expire."""
    from kuberacer.run.endpoints.deploy import listed

    print("\n".join(listed(out)))


def add_to(app: typer.Typer) -> None:
    app.command(epilog="Example: kuberacer deploy-endpoint --run latest --expires 2h")(deploy_endpoint)
    app.command(epilog="Example: kuberacer predict --run latest --observation '[0.5, -0.5]'")(predict)
    app.command(epilog="Example: kuberacer delete-endpoint --run latest")(delete_endpoint)
    app.command(epilog="Example: kuberacer endpoints")(endpoints)
