"""The commands around endpoints: deploy, predict, delete, list."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from kuberacer.endpoint import EXPIRES, PORT
from kuberacer.run.options import Out
from kuberacer.run.record import run_named


class Place(StrEnum):
    LOCAL = "local"
    KUBERNETES = "kubernetes"
    KSERVE = "kserve"


Run = Annotated[str, typer.Option("--run", help="The run whose endpoint it is: its name, or `latest`.")]
Name = Annotated[str, typer.Option(help="The endpoint's name.")]
Where = Annotated[Place, typer.Option(help="This machine, or the cluster of your kubeconfig: by itself, or by KServe.")]


def deploy_endpoint(
    run: Annotated[str, typer.Option("--run", help="A run that has published a model: its name, or `latest`.")],
    name: Annotated[str, typer.Option(help="What to call it: a-z, 0-9 and -. Default: as the run.")] = "",
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help=f"Of this machine. Default: {PORT}, or a free one.")
    ] = None,
    expires: Annotated[
        str, typer.Option(help="After which time it deletes itself: 90s, 30m, 8h, 2d, or never.")
    ] = EXPIRES,
    backend: Where = Place.LOCAL,
    host: Annotated[
        str, typer.Option(help="Where to listen on this machine. Other machines need a token, which is made here.")
    ] = "127.0.0.1",
    workers: Annotated[int, typer.Option(min=1, help="Processes of this machine, or pods, that answer.")] = 2,
    out: Out = Path("out"),
) -> None:
    """Serve a run's model over HTTP, and wait until it is ready."""
    from kuberacer.run.endpoints import deploy

    run = run_named(out, run)
    if backend is Place.LOCAL:
        lines = deploy.deploy_here(out, run, name, port, expires, host, workers)
    else:
        lines = deploy.deploy_there(out, run, name, expires, workers, backend is Place.KSERVE)
    print("\n".join(lines))


def predict(
    run: Run = "",
    name: Name = "",
    observation: Annotated[str, typer.Option(help="What is seen, as JSON: '[0.5, -0.5]'.")] = "",
    image: Annotated[
        list[Path] | None, typer.Option(help="A camera's picture (PNG or JPEG); several times for a stack of them.")
    ] = None,
    backend: Where = Place.LOCAL,
    out: Out = Path("out"),
) -> None:
    """Ask an endpoint what to do for what is seen; prints its answer as JSON."""
    from kuberacer.run.endpoints.asking import predict as ask
    from kuberacer.run.endpoints.deploy import reached

    with reached(out, run_named(out, run), name, backend is not Place.LOCAL) as address:
        print(json.dumps(ask(address, observation, image or [])))


def delete_endpoint(run: Run = "", name: Name = "", backend: Where = Place.LOCAL, out: Out = Path("out")) -> None:
    """End an endpoint: requests that are being answered are answered first. Nothing is left of it."""
    from kuberacer.run.endpoints.deploy import delete

    print("\n".join(delete(out, run_named(out, run), name, backend is not Place.LOCAL)))


def endpoints(backend: Where = Place.LOCAL, out: Out = Path("out")) -> None:
    """List the endpoints with their addresses and when they expire."""
    from kuberacer.run.endpoints.deploy import listed

    print("\n".join(listed(out, backend is not Place.LOCAL)))


def add_to(app: typer.Typer) -> None:
    app.command(epilog="Example: kuberacer deploy-endpoint --run latest --expires 2h")(deploy_endpoint)
    app.command(epilog="Example: kuberacer predict --run latest --observation '[0.5, -0.5]'")(predict)
    app.command(epilog="Example: kuberacer delete-endpoint --run latest")(delete_endpoint)
    app.command(epilog="Example: kuberacer endpoints")(endpoints)
