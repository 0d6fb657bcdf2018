"""python -m kuberacer.serve.fetch: a run's model out of the object store, if it is the one that was deployed."""

import argparse
import sys
from pathlib import Path

from kuberacer.endpoint import NOT_SERVED
from kuberacer.errors import UserError, run_main
from kuberacer.formats.policy import FILENAME, ONNX, digest
from kuberacer.settings import StoreSettings
from kuberacer.store.client import NotFoundError, ObjectStore

EXAMPLE = """example:
  python -m kuberacer.serve.fetch --run mountain-car-20260301-101500 --to model/"""


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m kuberacer.serve.fetch", description=__doc__, epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--run", required=True, help="whose model it is")
    parser.add_argument("--to", type=Path, required=True, help="folder")
    parser.add_argument("--digest", default="", help="of the model: another one is not taken")
    options = parser.parse_args()
    try:
        fetch(ObjectStore(StoreSettings.from_environment()), options.run, options.to, options.digest)
    except (NotFoundError, OtherModelError) as error:
        print(error, file=sys.stderr, flush=True)
        sys.exit(NOT_SERVED)


class OtherModelError(UserError):
    """The run has published another model since."""


def fetch(store: ObjectStore, run: str, folder: Path, wanted: str = "") -> str:
    """The digest of what is in the folder then. Raises NotFoundError, OtherModelError."""
    for name in (FILENAME, ONNX):
        store.get_file(f"{run}/model/{name}", folder / name)
    found = digest(folder)
    if wanted not in ("", found):
        raise OtherModelError(f"the model of {run} is {found}, {wanted} was deployed", "deploy the run again")
    return found


if __name__ == "__main__":
    run_main(main)
