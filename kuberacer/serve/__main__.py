"""python -m kuberacer.serve: the model server."""

import argparse
import os
import socket
import sys
import time
from functools import partial
from pathlib import Path

from kuberacer.endpoint import NOT_SERVED, PORT, TOKEN, Endpoint, checked_name
from kuberacer.errors import UserError, run_main
from kuberacer.listen import address, checked_token, is_loopback, listening
from kuberacer.serve.expiry import delete_when_expired
from kuberacer.serve.supervise import supervise

EXAMPLE = """example:
  python -m kuberacer.serve --model out/latest/model --name mountain-car"""


def main() -> None:
    options = arguments()
    token = os.environ.pop(TOKEN, "")
    if token:
        checked_token(token, TOKEN)
    elif not is_loopback(options.host):
        raise UserError(f"other machines reach {options.host}", f"give the endpoint a token: {TOKEN}")
    name = checked_name(options.name)
    endpoint = Endpoint(name, options.digest, options.expires_at, token)
    if options.fd is not None:
        serve(options.model, endpoint, socket.socket(fileno=options.fd))
        return
    with listening(options.host, options.port, PORT) as listener:
        print(f"serving {address(options.host, listener.getsockname()[1])}/v1/models/{name}", flush=True)
        if options.folder is not None:
            about = {"run": options.run, "host": options.host, "started": time.time()}
            sys.exit(supervise(options.folder, endpoint, listener, options.workers, about))
        serve(options.model, endpoint, listener, options.delete)


def serve(model: Path, endpoint: Endpoint, listener: socket.socket, delete: str = "") -> None:
    """In this process alone, until a SIGTERM. delete: what to delete on the cluster when it has expired."""
    from kuberacer.serve.start import server_of, warm_app  # not at the top: who supervises needs none of it

    beside = None
    if delete and endpoint.expires_at is not None:
        beside = partial(delete_when_expired, delete, endpoint.expires_at)
    try:
        app = warm_app(model, endpoint, beside)
    except UserError as error:
        print(error, file=sys.stderr, flush=True)
        sys.exit(NOT_SERVED)
    server_of(app).run([listener])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m kuberacer.serve", description=__doc__, epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--model", type=Path, help="folder with policy.json and model.onnx; served by this process")
    place.add_argument("--folder", type=Path, help="an endpoint's folder, with model/; served by --workers processes")
    parser.add_argument("--name", required=True, help="of the model in addresses")
    parser.add_argument("--run", default="", help="which published it")
    parser.add_argument("--host", default="127.0.0.1", help=f"any other than the loopback wants a token in {TOKEN}")
    parser.add_argument("--port", type=int, help=f"default: {PORT}, or a free one where that is taken")
    parser.add_argument("--fd", type=int, help="number of a socket that listens, in place of host and port")
    parser.add_argument("--workers", type=int, default=2, help="processes that answer, with --folder")
    parser.add_argument("--digest", default="", help="of the model: another one is not served")
    parser.add_argument("--expires-at", type=float, help="seconds since the epoch when it ends")
    parser.add_argument("--delete", default="", help="on a cluster: what to delete then, as apps/v1/deployments/name")
    return parser.parse_args()


if __name__ == "__main__":
    run_main(main)
