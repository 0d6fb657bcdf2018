"""What the trainer tells its workers: which policy is the newest, how to explore with it, how much to play."""

import json
from dataclasses import asdict, dataclass
from typing import Any, Self

from kuberacer.coach.choose import Explore


@dataclass(frozen=True)
class Announcement:
    """session: one start of a trainer. version: of the policy, its iteration. graph: sha256 of the frozen graph in the
    store. given, outputs: names of its input and output nodes. setup: digest of what workers need beside it.
    lag: how many versions older a fragment may be. time: steps of a fragment. pending: fragments that may wait for
    the trainer before workers pause. stop: the training has ended. laps: sha256 of the graph that drives laps, where
    that is another one."""

    session: str
    version: int
    graph: str
    given: tuple[str, ...]
    outputs: tuple[str, ...]
    explore: Explore
    setup: str
    lag: int
    time: int
    pending: int
    stop: bool = False
    laps: str = ""

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, text: str | bytes) -> Self:
        """Raises ValueError for what is none."""
        try:
            data: dict[str, Any] = json.loads(text)
            known: dict[str, Any] = {name: int(data[name]) for name in ("version", "lag", "time", "pending")}
            known |= {name: str(data[name]) for name in ("session", "graph", "setup")}
            known |= {name: tuple(str(node) for node in data[name]) for name in ("given", "outputs")}
            return cls(
                explore=Explore.parse(data["explore"]), stop=bool(data["stop"]), laps=str(data.get("laps", "")), **known
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no announcement: {error!r}") from error
