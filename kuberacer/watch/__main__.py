"""python -m kuberacer.watch: the live view's server."""

import argparse
import contextlib
import os
import secrets
import socket
from pathlib import Path

import uvicorn

from kuberacer.errors import run_main
from kuberacer.listen import address, checked_token, is_loopback, listening
from kuberacer.settings import StoreSettings
from kuberacer.watch.app import make_app
from kuberacer.watch.bucket import BucketRuns
from kuberacer.watch.local import LocalRuns
from kuberacer.watch.names import checked_run
from kuberacer.watch.runs import Runs
from kuberacer.watch.stored import quick_store

PORT = 8080
TOKEN = "KUBERACER_WATCH_TOKEN"
EXAMPLE = """examples:
  python -m kuberacer.watch --out out
  KUBERACER_S3_BUCKET=team KUBERACER_S3_ENDPOINT=https://s3.example python -m kuberacer.watch --host 0.0.0.0"""


def main() -> None:
    options = arguments()
    token = os.environ.pop(TOKEN, "")
    shown = f"?token=<{TOKEN}>" if token else ""  # of the user's own: printing it would leave it in logs
    if not token and not is_loopback(options.host):
        token = secrets.token_urlsafe(24)
        shown = f"?token={token}"
    if token:
        checked_token(token, TOKEN)
    source = source_of(options.out)
    page = f"/runs/{checked_run(options.run)}" if options.run else "/"
    if options.run:
        source.entry(options.run)
    with listening(options.host, options.port, PORT) as listener:
        place = address(options.host, listener.getsockname()[1])
        print(f"live view: {place}{page}{shown}", flush=True)
        print("Ctrl-C ends it; what it shows goes on", flush=True)
        serve(source, token, listener)


def serve(source: Runs, token: str, listener: socket.socket) -> None:
    """Until Ctrl-C. No log of requests: addresses may hold the token."""
    config = uvicorn.Config(
        make_app(source, token), log_level="warning", access_log=False, server_header=False, proxy_headers=False,
        lifespan="on", ws="none", timeout_graceful_shutdown=1, limit_concurrency=500,
    )  # fmt: skip
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])


def source_of(out: Path) -> Runs:
    """The bucket that the environment names, else the folder."""
    if os.environ.get("KUBERACER_S3_BUCKET"):
        return BucketRuns(quick_store(StoreSettings.from_environment()))
    return LocalRuns(out)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m kuberacer.watch", description=__doc__, epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of runs, where no bucket is named")
    parser.add_argument("--run", default="", help="the run whose page to open, or `latest`")
    parser.add_argument("--port", type=int, help=f"default: {PORT}, or a free one where that is taken")
    parser.add_argument(
        "--host", default="127.0.0.1", help=f"any other than the loopback wants a token, of {TOKEN} or made here"
    )
    return parser.parse_args()


if __name__ == "__main__":
    run_main(main)
