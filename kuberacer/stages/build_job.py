"""python -m kuberacer.stages.build_job: what the build Job's pod runs. Standard library and Buildah only.

Fetches the context (a tar with content/ and site/), adds it to the base image, pushes the result with the registry as
cache, and leaves {"image", "digest", "built"} as the container's termination message. Nothing of the context is run.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
from pathlib import Path, PurePosixPath

from kuberacer.errors import UserError, run_main
from kuberacer.stages.registry import Registry

PLACE = "/opt/kuberacer/sim"
CREDENTIALS = Path("/etc/kuberacer-registry/config.json")
PLACES = ["--storage-driver", "vfs", "--root", "/var/lib/containers/storage", "--runroot", "/run/containers"]
FETCH_S = 120
LIMIT_BYTES = 4 << 30


def main() -> None:
    options = arguments()
    registry = Registry.parse(options.registry)
    image = registry.image(options.name)
    digest, built = registry.digest(image, CREDENTIALS), False
    if digest is None:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            fetch(options.context, folder)
            digest, built = build(registry, image, options, folder), True
    result = json.dumps({"image": f"{image.rpartition(':')[0]}@{digest}", "digest": digest, "built": built})
    options.result.write_text(result, encoding="ascii")
    print(result, flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="build_job", description=__doc__)
    parser.add_argument("--registry", required=True, help="registry.example/team, or http://…")
    parser.add_argument("--name", required=True, help="name and tag in the registry")
    parser.add_argument("--base", required=True, help="the image to begin with")
    parser.add_argument("--content", required=True, help="digest of the content")
    parser.add_argument("--context", required=True, help="address of the context, a tar")
    parser.add_argument("--result", type=Path, default=Path("/dev/termination-log"))
    return parser.parse_args()


def fetch(address: str, folder: Path) -> None:
    """Unpack the context; its members cannot lead out of the folder. Raises UserError."""
    path = folder / "context.tar"
    try:
        with urllib.request.urlopen(address, timeout=FETCH_S) as answer, path.open("wb") as file:
            while block := answer.read(1 << 20):
                file.write(block)
                if file.tell() > LIMIT_BYTES:
                    raise UserError(f"the context has more than {LIMIT_BYTES >> 30} GiB", "ask for smaller modules")
        with tarfile.open(path) as tar:
            unpack(tar, folder / "context")
    except (OSError, tarfile.TarError) as error:
        # Not the address: its signature is a key for an hour.
        raise UserError(
            f"the context cannot be fetched: {getattr(error, 'reason', error)}", "run the step again"
        ) from None
    finally:
        path.unlink(missing_ok=True)


def unpack(tar: tarfile.TarFile, folder: Path) -> None:
    """Files and folders only, inside `folder` (tarfile's own filters came with Python 3.11.4). Raises TarError."""
    for member in tar:
        name = PurePosixPath(member.name)
        if name.is_absolute() or ".." in name.parts or not (member.isfile() or member.isdir()):
            raise tarfile.TarError(f"member {member.name!r} is none of a context")
        path = folder / name
        if member.isdir():
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        source = tar.extractfile(member)
        assert source is not None
        with path.open("xb") as file:
            shutil.copyfileobj(source, file)
        path.chmod(0o755 if member.mode & 0o100 else 0o644)


def build(registry: Registry, image: str, options: argparse.Namespace, folder: Path) -> str:
    """Build and push; the pushed image's digest."""
    (folder / "context" / "Containerfile").write_text(recipe(options.base))
    tls = f"--tls-verify={'false' if registry.plain else 'true'}"
    cache = registry.image(options.name.partition(":")[0] + "-cache")
    started = time.monotonic()
    cached = ["--layers", "--cache-from", cache, "--cache-to", cache]
    # Options of the last commit; as lines of the recipe each would copy the whole file system once more.
    about = ["--env", f"KUBERACER_SIM={PLACE}/content", "--label", f"org.kuberacer.content={options.content}"]
    context = str(folder / "context")
    buildah(["bud", tls, *cached, *about, "--timestamp", "0", "--format", "docker", "--tag", image, context])
    print(f"built in {time.monotonic() - started:.1f} s", flush=True)
    written = folder / "digest"
    buildah(["push", tls, "--digestfile", str(written), image])
    print(f"pushed after {time.monotonic() - started:.1f} s", flush=True)
    return written.read_text().strip()


def recipe(base: str) -> str:
    """The modules first: they change less often than the reward, and their layer comes from the registry."""
    return f"FROM {base}\nCOPY site {PLACE}/site\nCOPY content {PLACE}/content\n"


def buildah(arguments: list[str]) -> None:
    """Raises UserError with Buildah's last line."""
    authfile = {"REGISTRY_AUTH_FILE": str(CREDENTIALS)} if CREDENTIALS.is_file() else {}
    # Root of a container without CAP_SYS_ADMIN: Buildah would make a user namespace, which the pod may not. With these
    # two it takes itself to be inside one. Nothing is mounted: files go from folder to folder.
    already = {"_CONTAINERS_USERNS_CONFIGURED": "done", "_CONTAINERS_ROOTLESS_UID": "10001"}
    ended = subprocess.run(
        ["buildah", *PLACES, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **authfile, **already},
    )
    sys.stdout.write(ended.stdout)
    sys.stdout.flush()
    if ended.returncode:
        last = (ended.stdout.strip().splitlines() or ["no message"])[-1]
        raise UserError(f"buildah {arguments[0]} failed: {last[:300]}", "see the build pod's log")


if __name__ == "__main__":
    run_main(main)
