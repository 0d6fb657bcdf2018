"""The models that a training is driven against: fetched once by the trainer, before anything is played."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from kuberacer.formats.race_config import RaceConfig
from kuberacer.rollout.handout import RivalModel
from kuberacer.rollout.model_files import GRAPH, METADATA, fetch_model, open_store
from kuberacer.settings import StoreSettings


@dataclass(frozen=True)
class TrainingRivals:
    """graphs: digest -> file."""

    models: tuple[RivalModel, ...]
    graphs: dict[str, Path]

    @classmethod
    def fetch(cls, race: RaceConfig, folder: Path) -> "TrainingRivals":
        """Those of the race, into a folder of each. Raises UserError for what cannot be had."""
        models, graphs = [], {}
        for number, car in enumerate(race.cars[1:], 1):
            store, prefix = open_store(StoreSettings.from_environment(), car.address)
            target = folder / f"rival-{number}"
            fetch_model(store, prefix, "best", target)
            digest = hashlib.sha256((target / GRAPH).read_bytes()).hexdigest()
            metadata = (target / METADATA).read_text(encoding="utf-8")
            models.append(RivalModel(digest, metadata, car.display_name, car.color))
            graphs[digest] = target / GRAPH
        return cls(tuple(models), graphs)
