"""Serve a run's model on the cluster, as an endpoint that deletes itself when it has expired; wait until it is ready.

Started again (a repeated step, a newer model of the same run) it brings the endpoint to what it should be. An endpoint
that does not become ready is removed, with the reason.
"""

import argparse
import os
import tempfile
from pathlib import Path

from kuberacer import __version__
from kuberacer.endpoint import EXPIRES, checked_name, expiry, name_of_run
from kuberacer.errors import UserError, run_main
from kuberacer.formats.policy import FILENAME, ONNX, digest
from kuberacer.rollout.own_pod import own_namespace
from kuberacer.settings import StoreSettings
from kuberacer.stages.arguments import stage_parser
from kuberacer.stages.endpoint_deploy import Deployer
from kuberacer.stages.endpoint_objects import ClusterEndpoint
from kuberacer.store.client import NotFoundError, ObjectStore


def main() -> None:
    options = arguments()
    if not options.run_to_serve:
        raise UserError("no run is named", "give the name of a run that has published a model")
    endpoint = ClusterEndpoint(
        name=checked_name(options.name or name_of_run(options.run_to_serve)),
        run=options.run_to_serve,
        digest=published(options.run_to_serve),
        image=os.environ.get("KUBERACER_IMAGE_SERVE", f"kuberacer/serve:{__version__}"),
        namespace=options.namespace or endpoints_namespace(),
        expires_at=expiry(options.expires),
        replicas=options.replicas,
        kserve=options.kserve == 1,
    )
    Deployer(endpoint).run()
    print(f"ready: {endpoint.address}", flush=True)
    if options.address is not None:
        options.address.parent.mkdir(parents=True, exist_ok=True)
        options.address.write_text(endpoint.address)


def published(run: str) -> str:
    """The digest of what the run has published. Raises UserError when it has not."""
    store = ObjectStore(StoreSettings.from_environment())
    with tempfile.TemporaryDirectory() as place:
        for name in (FILENAME, ONNX):
            try:
                store.get_file(f"{run}/model/{name}", Path(place) / name)
            except NotFoundError:
                raise UserError(
                    f"the run {run} has no model/{name} in {store.address('')}",
                    "name a run that has published a model there; one of an earlier version: publish it again",
                ) from None
        return digest(Path(place))


def endpoints_namespace() -> str:
    """That of this pod; Kubeflow Pipelines' steps are in a namespace that is not for endpoints."""
    try:
        return "kuberacer" if "KFP_POD_NAME" in os.environ else own_namespace()
    except OSError:
        raise UserError(
            "this is no cluster, and no namespace is named",
            "on one machine: make deploy-endpoint RUN=…; on a cluster: make deploy-endpoint RUN=… BACKEND=kubernetes",
        ) from None


def arguments() -> argparse.Namespace:
    parser = stage_parser(
        "serve", __doc__ or "", "python -m kuberacer.stages.serve --run-to-serve kidney-20260301-101500 --expires 2h"
    )
    parser.add_argument("--run-to-serve", required=True, help="a run that has published a model")
    parser.add_argument("--name", default="", help="of the endpoint: a-z, 0-9 and -; default: as the run")
    parser.add_argument("--expires", default=EXPIRES, help="after which it deletes itself: 90s, 30m, 8h, 2d, or never")
    parser.add_argument("--replicas", type=int, default=2, help="pods that answer")
    parser.add_argument("--kserve", type=int, choices=(0, 1), default=0, help="1: an InferenceService of KServe")
    parser.add_argument("--namespace", default="", help="where; default: this pod's, for Kubeflow's steps `kuberacer`")
    parser.add_argument("--address", type=Path, metavar="OUTPUT", help="file to write: where it answers in the cluster")
    return parser.parse_args()


if __name__ == "__main__":
    run_main(main)
