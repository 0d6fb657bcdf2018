"""Stage 2: the user's modules, reward, track and race configuration as one thing, named by its content.

Without a container engine it is a folder of this machine (a local environment). With one that has KubeRacer's image, an
OCI image of the same content is built, too; with a registry named, a Job on the cluster builds it. The digest depends
on the content alone: the same input gives the same digest and is not built twice.
"""

import argparse
import hashlib
import io
import json
import os
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np

from kuberacer.cache import cache_folder
from kuberacer.errors import UserError, run_main
from kuberacer.formats.reward_document import DOCUMENT_NAME, is_document
from kuberacer.reward.extra_modules import Module, install_locked, resolve
from kuberacer.reward.source import DEFAULT_NAME
from kuberacer.sim.track import Track, load_track
from kuberacer.stages.arguments import stage_parser
from kuberacer.stages.container_engine import ContainerEngine, find_engine

ROUTE, RACE, LOCK = "route.npy", "race.json", "modules.lock"


def main() -> None:
    options = arguments()
    content = Content.of(options.reward_file, options.track_file, options.requirements, options.race)
    site, ready = install_locked(content.modules)
    folder, known = content.write(cache_folder() / "environments")
    kind, reference = "local", str(folder)
    registry = options.registry or os.environ.get("KUBERACER_REGISTRY", "")
    if registry:
        # Imported here: on one machine there may be no cluster's client.
        from kuberacer.stages.cluster_build import ClusterBuild

        kind = "image"
        reference, known = ClusterBuild.of_environment(registry).run(content.digest, folder, site, options.run)
        ready = known  # a pod's own folders are always new
    elif (engine := find_engine()) is not None:
        kind = "image"
        reference, known = build_image(engine, content, folder, site)
    environment = {
        "digest": content.digest,
        "kind": kind,
        "reference": reference,
        "site": str(site) if content.modules else None,
        "modules": [asdict(module) for module in content.modules],
    }
    for path, text in ((options.environment, json.dumps(environment, indent=1)), (options.digest, content.digest)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    modules = ", ".join(f"{module.name} {module.version}" for module in content.modules) or "no extra modules"
    built = "the same as before, not built again" if known and ready else "built"
    print(f"{kind} environment {content.digest}: {built} ({modules}); {reference}", flush=True)


def arguments() -> argparse.Namespace:
    parser = stage_parser(
        "build_sim_image",
        __doc__,
        "python -m kuberacer.stages.build_sim_image --reward-file my_reward.py --track-file route.npy "
        "--requirements 'shapely==2.1.2' --environment environment.json --digest digest.txt",
    )
    parser.add_argument("--reward-file", type=Path, required=True, help="the reward function's source")
    parser.add_argument("--track-file", type=Path, required=True, help="the track's route (.npy)")
    parser.add_argument("--requirements", default="", help="pip requirement lines of the reward's modules")
    parser.add_argument("--race", default="{}", help="race configuration, JSON")
    parser.add_argument("--run", default="", help="the run's name; the content does not depend on it")
    parser.add_argument("--registry", default="", help="the cluster builds an image and pushes it to this registry")
    parser.add_argument("--environment", type=Path, required=True, help="output: what was built, JSON")
    parser.add_argument("--digest", type=Path, required=True, help="output: the digest")
    return parser.parse_args()


class Content:
    """What goes into the environment; digest: sha256 over all of it in a canonical form."""

    def __init__(self, reward: str, track: Track, race: dict, modules: list[Module]):
        self.reward, self.track, self.race, self.modules = reward, track, race, modules
        self.lock = "".join(f"{m.name}=={m.version} --hash=sha256:{m.sha256}\n" for m in modules)
        parts = {
            "reward": hashlib.sha256(reward.encode()).hexdigest(),
            "track": track.digest(),
            "race": race,
            "modules": self.lock,
        }
        canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"))
        self.digest = "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()

    @classmethod
    def of(cls, reward_file: Path, track_file: Path, requirements: str, race: str) -> "Content":
        """Read and check the inputs. Raises UserError."""
        try:
            reward = reward_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            remedy = "give the path of a reward's file"
            raise UserError(f"reward {reward_file} cannot be read: {error}", remedy) from None
        return cls(reward, load_track(str(track_file)), parse_race(race), resolve(requirements))

    def write(self, parent: Path) -> tuple[Path, bool]:
        """(the folder with the content, whether it was there already)."""
        folder = parent / self.digest.removeprefix("sha256:")
        if folder.is_dir():
            return folder, True
        parent.mkdir(parents=True, exist_ok=True)
        route = io.BytesIO()
        np.save(route, self.track.route())
        with tempfile.TemporaryDirectory(dir=parent) as scratch:
            made = Path(scratch) / "content"
            made.mkdir()
            name = DOCUMENT_NAME if is_document(self.reward) else DEFAULT_NAME
            (made / name).write_text(self.reward, encoding="utf-8")
            (made / ROUTE).write_bytes(route.getvalue())
            (made / RACE).write_text(json.dumps(self.race, sort_keys=True, indent=1) + "\n", encoding="utf-8")
            (made / LOCK).write_text(self.lock, encoding="utf-8")
            try:
                made.rename(folder)
            except OSError:
                if not folder.is_dir():  # else another process has just made the same
                    raise
        return folder, False


def parse_race(text: str) -> dict:
    """The race configuration; blank text is an empty one. Raises UserError."""
    try:
        race = json.loads(text or "{}")
    except ValueError as error:
        raise UserError(
            f"the race configuration is not JSON: {error}", 'write it as {"RACE_TYPE": "TIME_TRIAL"}'
        ) from None
    if not isinstance(race, dict):
        raise UserError("the race configuration is not a JSON object", 'write it as {"RACE_TYPE": "TIME_TRIAL"}')
    return race


def build_image(engine: ContainerEngine, content: Content, folder: Path, site: Path) -> tuple[str, bool]:
    """(the image's name, whether it was there already)."""
    name = f"kuberacer/sim:{content.digest.removeprefix('sha256:')[:16]}"
    if engine.has(name):
        return name, True
    engine.build(name, content.digest, folder, site)
    return name, False


if __name__ == "__main__":
    run_main(main)
