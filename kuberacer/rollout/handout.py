"""What workers get from the store, each thing under the digest of its content: <run>/rollouts/<sha256>.<kind>.

The setup (JSON): track, reward, actions, cars, seed. The policy: a frozen graph, a new one every iteration.
"""

import contextlib
import fcntl
import hashlib
import json
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from kuberacer.cache import cache_folder
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.reward.extra_modules import site_of
from kuberacer.reward.open_reward import Reward, open_reward
from kuberacer.rollout.entrants import Entrant
from kuberacer.rollout.laps import STARTS, Lap, Policy, drive_laps
from kuberacer.rollout.rules_json import rules_from_json, rules_to_json
from kuberacer.rollout.simulator import simulator
from kuberacer.sim.episode import SimConfig
from kuberacer.sim.track import Track
from kuberacer.store.client import ObjectStore

if TYPE_CHECKING:
    from kuberacer.rollout.rivals import AmongRivals
    from kuberacer.sim.race_sim import RaceSim

SCHEMA = 2
KEPT_POLICIES = 4  # in the store and in a node's cache: the newest, and those that a slow worker may still ask for


@dataclass(frozen=True)
class RivalModel:
    """A model that drives beside the learner's cars. graph: digest of its frozen graph, metadata: its JSON."""

    graph: str
    metadata: str
    name: str
    color: str


@dataclass(frozen=True)
class Setup:
    """route: (n, 6) as in a route file. metadata: model metadata's JSON. environment: what build_sim_image wrote.

    rules: of the episodes. lap_rules: of the deterministic laps, lap_starts of them; reward_counts: their reward says
    which policy is the best. rivals: one for each other car of a group. color: the learner's cars'."""

    track_name: str
    route: list[list[float]]
    metadata: str
    algorithm: str
    reward: str
    environment: dict[str, Any]
    cars: int
    stack: int
    seed: int
    rules: SimConfig = SimConfig()  # noqa: RUF009  it is frozen
    lap_rules: SimConfig = SimConfig()  # noqa: RUF009
    lap_starts: int = STARTS
    reward_counts: bool = False
    rivals: tuple[RivalModel, ...] = ()
    color: str = "Black"
    schema: int = SCHEMA

    def track(self) -> Track:
        return Track.from_route(np.array(self.route), self.track_name)

    def model(self) -> ModelMetadata:
        return ModelMetadata.parse(self.metadata, self.algorithm)

    def entrants(self, graph: Callable[[str], Path]) -> list[Entrant]:
        """The rivals, ready to drive. graph: gives the file of a digest."""
        if not self.rivals:
            return []
        from kuberacer.rollout.rival_models import CarPolicy  # OpenVINO: a second that a time trial does without

        found = []
        for rival in self.rivals:
            metadata = ModelMetadata.parse(rival.metadata)
            policy = CarPolicy(graph(rival.graph), metadata, rival.name)
            found.append(Entrant(policy.best_actions, metadata, policy.stack, rival.name, rival.color, rival.name))
        return found

    def simulator(self, rivals: Sequence[Entrant], seed: int, clean: bool = False) -> "RaceSim | AmongRivals":
        """What the learner's cars play in."""
        return simulator(self.track(), self.cars, self.model(), self.rules, seed, clean, rivals, self.color)

    def reward_process(self, cars: int, index: int = 0) -> Reward:
        """The reward function for so many cars of a worker; the caller closes it."""
        site = site_of(self.environment)
        return open_reward(
            self.reward, self.track(), cars, objects=self.rules.scene.objects,
            extra_paths=[site] if site else [], seed=self.seed + index,
        )  # fmt: skip

    def drive_laps(self, policy: Policy, stack: int, rivals: Sequence[Entrant] = ()) -> Lap:
        """The deterministic laps of a policy that sees `stack` time steps."""
        # A process for each drive: what a reward function remembers of one policy's laps is not the next one's.
        with self.reward_process(self.lap_starts) if self.reward_counts else nullcontext() as reward:
            return drive_laps(
                policy, self.track(), self.model(), stack, self.seed, self.lap_rules, self.lap_starts, reward, rivals
            )

    def to_bytes(self) -> bytes:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in ("rules", "lap_rules"):
            values[name] = rules_to_json(values[name])
        values["rivals"] = [asdict(rival) for rival in self.rivals]
        return json.dumps(values, sort_keys=True).encode()

    @classmethod
    def parse(cls, text: bytes) -> Self:
        """Raises ValueError or TypeError for what is none of this version."""
        values = json.loads(text)
        if values.get("schema") != SCHEMA:
            raise ValueError(f"a setup of schema {values.get('schema')}: trainer and workers must be of one version")
        for name in ("rules", "lap_rules"):
            values[name] = rules_from_json(values[name])
        values["rivals"] = tuple(RivalModel(**rival) for rival in values["rivals"])
        return cls(**values)


@dataclass
class Handout:
    """The trainer's end: puts setup and policies into the store, and takes old policies away."""

    store: ObjectStore
    run: str
    _policies: deque[str] = field(default_factory=deque)

    def setup(self, setup: Setup) -> str:
        data = setup.to_bytes()
        digest = hashlib.sha256(data).hexdigest()
        self.store.put_bytes(key(self.run, digest, "json"), data, "application/json")
        return digest

    def rival(self, graph: Path) -> None:
        """Put the frozen graph of a rival, for as long as the training goes on."""
        data = graph.read_bytes()
        self.store.put_bytes(key(self.run, hashlib.sha256(data).hexdigest(), "pb"), data)

    def policy(self, graph: Path) -> str:
        """Put a frozen graph; its digest."""
        data = graph.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        if digest not in self._policies:
            self.store.put_bytes(key(self.run, digest, "pb"), data)
            self._policies.append(digest)
        return digest

    def tidy(self) -> None:
        """Take away policies that nobody will ask for again."""
        while len(self._policies) > KEPT_POLICIES:
            self.store.delete(key(self.run, self._policies.popleft(), "pb"))

    def close(self) -> None:
        """Nothing of it is needed after the training."""
        self.store.delete_prefix(f"{self.run}/rollouts/")

    def workers(self, now: int) -> int:
        """How many workers the run is to have: {"workers": n} in <run>/rollouts/scale.json, `now` without that."""
        name = f"{self.run}/rollouts/scale.json"
        if not self.store.exists(name):
            return now
        with contextlib.suppress(ValueError, KeyError, TypeError):
            wanted = int(json.loads(self.store.get_bytes(name))["workers"])
            return wanted if 1 <= wanted <= 100_000 else now
        return now


class NodeCache:
    """A worker's end: one download a node, shared by the workers that share `folder`."""

    def __init__(self, store: ObjectStore, run: str, folder: Path | None = None):
        self.store, self.run = store, run
        self.folder = folder or cache_folder() / "rollouts"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.downloads = 0

    def fetch(self, digest: str, kind: str) -> Path:
        """The file of this content. Raises UserError: not there (NotFoundError), or the store is away."""
        path = self.folder / f"{digest}.{kind}"
        if path.exists():
            return path
        with (self.folder / f"{digest}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # the others of this node wait, and find it then
            if not path.exists():
                self._download(digest, path)
        self._tidy(kind)
        return path

    def _download(self, digest: str, path: Path) -> None:
        data = self.store.get_bytes(key(self.run, digest, path.suffix[1:]))
        self.downloads += 1
        if hashlib.sha256(data).hexdigest() != digest:
            raise OSError(f"{path.name} came damaged from the store")
        partial = path.with_suffix(".part")
        partial.write_bytes(data)
        partial.replace(path)

    def _tidy(self, kind: str) -> None:
        with contextlib.suppress(OSError):
            newest_first = sorted(self.folder.glob(f"*.{kind}"), key=lambda path: -path.stat().st_mtime)
            for path in newest_first[4 * KEPT_POLICIES :]:
                path.unlink(missing_ok=True)
                path.with_suffix(".lock").unlink(missing_ok=True)


def key(run: str, digest: str, kind: str) -> str:
    if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
        raise ValueError(f"{digest!r:.80} is no digest")
    return f"{run}/rollouts/{digest}.{kind}"
