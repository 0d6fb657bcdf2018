"""Other models as entrants of a race: out of the object store, asked through OpenVINO, without TensorFlow."""

from pathlib import Path

import numpy as np

from kuberacer.coach.choose import Explore
from kuberacer.coach.frozen_names import CAR_OUTPUT, input_names
from kuberacer.coach.metadata import ContinuousActions, ModelMetadata
from kuberacer.coach.sensors import Observation, joined
from kuberacer.errors import UserError
from kuberacer.rollout.driving_policy import DrivingPolicy
from kuberacer.rollout.entrants import Entrant
from kuberacer.rollout.model_files import GRAPH, METADATA, fetch_model, open_store
from kuberacer.settings import StoreSettings

ENDLESS = {"Loop", "TensorIterator", "If"}  # no policy of DeepRacer's has them
MAX_STACK = 64


def rival(settings: StoreSettings, address: str, which: str, folder: Path, name: str, color: str) -> Entrant:
    """The model at an address of the object store. Raises UserError when it cannot be had or does not fit."""
    store, prefix = open_store(settings, address)
    fetch_model(store, prefix, which, folder)
    return of_folder(folder, name, color, store.address(prefix))


def of_folder(folder: Path, name: str, color: str, model: str) -> Entrant:
    """The model in a folder with model.pb and model_metadata.json, asked through OpenVINO: needs no TensorFlow."""
    metadata = ModelMetadata.parse((folder / METADATA).read_text(encoding="utf-8"))
    policy = CarPolicy(folder / GRAPH, metadata, model)
    return Entrant(policy.best_actions, metadata, policy.stack, name, color, model)


class CarPolicy:
    """A frozen graph as it goes to the car, somebody else's perhaps: it can compute, and nothing else."""

    def __init__(self, graph: Path, metadata: ModelMetadata, model: str):
        """model: its name in errors. Raises UserError for what is no such graph."""

        def unfit(cause: object) -> UserError:
            text = (str(cause).strip() or "?").splitlines()[-1][:200]
            return UserError(f"{model}: the graph does not fit its metadata: {text}", "give a published model")

        names = input_names(metadata), [CAR_OUTPUT[metadata.algorithm]]
        try:
            self._policy = DrivingPolicy(graph, *names, Explore("categorical"))
        except (RuntimeError, ValueError) as error:
            raise unfit(error) from None
        if endless := self._policy.operations & ENDLESS:
            raise unfit(f"it has {', '.join(sorted(endless))}")
        self._metadata = metadata
        camera, *lidar = self._policy.shapes
        self.stack = camera[-1] // metadata.views
        wanted = [given.shape for given in metadata.inputs(max(self.stack, 1))]
        if [camera, *lidar] != wanted or not 1 <= self.stack <= MAX_STACK:
            raise unfit(f"its inputs are {[camera, *lidar]}, not {wanted}")
        answer = self._answer(joined(tuple(np.zeros((1, *shape), np.uint8) for shape in wanted)))
        space = metadata.action_space
        actions = 2 if isinstance(space, ContinuousActions) else len(space)
        if answer.shape != (1, actions):
            raise unfit(f"it gives {answer.shape[1:]} values for {actions} actions")

    def best_actions(self, observation: Observation) -> np.ndarray:
        """Actions as ModelMetadata.decode takes them: (M,) integers, or (M, 2)."""
        outputs = self._answer(observation)
        return outputs if self._metadata.continuous else outputs.argmax(axis=1)

    def _answer(self, observation: Observation) -> np.ndarray:
        outputs, _ = self._policy.ask(observation)
        return outputs
