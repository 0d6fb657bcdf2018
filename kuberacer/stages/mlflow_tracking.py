"""A training in MLflow: its parameters at the start, figures as they come, files at the end.

On where somebody names an experiment. The records go to the address that is given, else to that of MLFLOW_TRACKING_URI
(Kubeflow Pipelines' MLflow plug-in sets it, and MLFLOW_RUN_ID for the run to write into), else, on one's own machine,
into the folder of KUBERACER_MLFLOW: MLflow keeps no records in plain files any more, so it is a database of SQLite.
"""

import contextlib
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kuberacer.errors import UserError
from kuberacer.rollout.trainer import Iteration

ADDRESS, RUN_ID, LOCAL = "MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "KUBERACER_MLFLOW"
RUN_TAG = "kuberacer.run"
COLUMNS = {"episode_length": "Episode Length", "episode_reward": "Training Reward"}  # of rl_coach's CSV
MOST_AT_ONCE, MOST_CHARACTERS = 100, 500  # parameters of one call, characters of a value
# MLflow's own would try for minutes.
PATIENCE = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "30", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3"}


def address_of(given: str) -> str:
    """Where MLflow is; '' where nobody says."""
    local = os.environ.get(LOCAL, "")
    return given or os.environ.get(ADDRESS, "") or (f"sqlite:///{local}/mlflow.db" if local else "")


def client_of(address: str) -> Any:
    """MLflow's client. Importing it takes seconds."""
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    with telling(address):
        import mlflow

        if address.startswith("sqlite:///"):
            Path(address.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        return mlflow.MlflowClient(address)


@contextlib.contextmanager
def telling(address: str) -> Iterator[None]:
    """Raises UserError for what MLflow's client raises: its exceptions are of many libraries."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        said = re.sub(r"\s+", " ", str(error)).strip()[:200] or type(error).__name__
        raise UserError(
            f"MLflow at {shown(address)}: {without_secrets(said)}",
            "see that its server answers and takes runs; MLFLOW_EXPERIMENT= (empty) trains without it",
        ) from error


def shown(address: str) -> str:
    """An address for people: without the password that may be in it."""
    return re.sub(r"//[^/@]*@", "//", address)


def without_secrets(text: str) -> str:
    return re.sub(r"//[^/@\s]*@", "//", text)


class TrackedRun:
    """One of MLflow's runs. A training that is resumed goes on with the run that it began."""

    def __init__(self, client: Any, address: str, run_id: str, owned: bool):
        """owned: it was begun here, and not by who started this training."""
        self.client, self.address, self.run_id, self.owned = client, address, run_id, owned
        self.silent = False  # a failure was told of

    @classmethod
    def begin(cls, experiment: str, address: str, run: str, parameters: Mapping[str, Any]) -> "TrackedRun | None":
        """None where no experiment is named, or nobody says where MLflow is. Raises UserError when it does not answer:
        before anything is trained."""
        address = address_of(address)
        if not experiment or not address:
            return None
        client = client_of(address)
        with telling(address):
            given = os.environ.get(RUN_ID, "")
            run_id = given or _run(client, address, experiment, run)
            found = cls(client, address, run_id, owned=not given)
            if found.owned:
                client.update_run(run_id, status="RUNNING")
            found._write_parameters(parameters)
        return found

    def _write_parameters(self, parameters: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        known = self.client.get_run(self.run_id).data.params
        texts = {key: str(value)[:MOST_CHARACTERS] for key, value in parameters.items()}
        if changed := [key for key, text in texts.items() if known.get(key, text) != text]:
            print(f"progress: MLflow keeps the first values of {', '.join(changed)}", flush=True)
        fresh = [Param(key, text) for key, text in texts.items() if key not in known]
        for start in range(0, len(fresh), MOST_AT_ONCE):
            self.client.log_batch(self.run_id, params=fresh[start : start + MOST_AT_ONCE])

    def tell(self, turn: Iteration, rows: Sequence[Mapping[str, str]]) -> None:
        """An iteration's figures. rows: of rl_coach's CSV, so far. A server that does not answer now may do so at the
        end: it stops no training, and is told of once."""
        figures = {**episode_figures(rows), **turn.learning}
        if turn.lap is not None and turn.lap.reward is not None:
            figures["evaluation_reward"] = turn.lap.reward
        try:
            with telling(self.address):
                self._write_figures(figures, turn.steps)
        except UserError as error:
            if not self.silent:
                self.silent = True
                print(f"progress: {error.cause}; the training goes on", flush=True)

    def _write_figures(self, figures: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [Metric(key, float(value), now, step) for key, value in figures.items() if np.isfinite(value)]
        self.client.log_batch(self.run_id, metrics=metrics)

    def finish(self, steps: int, rows: Sequence[Mapping[str, str]], files: Mapping[str, Sequence[Path]]) -> None:
        """The last figures, and files by the folder of the run's artifacts that they belong into ('': its root).

        Raises UserError when MLflow does not take them."""
        with telling(self.address):
            self._write_figures(episode_figures(rows), steps)
            for folder, paths in files.items():
                for path in paths:
                    self.client.log_artifact(self.run_id, str(path), folder or None)
            if self.owned:
                self.client.set_terminated(self.run_id)

    @contextlib.contextmanager
    def ending(self) -> Iterator[None]:
        """Say how a training ended that did not come to its end."""
        try:
            yield
        except BaseException as error:
            if self.owned:
                with contextlib.suppress(UserError), telling(self.address):
                    killed = isinstance(error, KeyboardInterrupt)
                    self.client.set_terminated(self.run_id, "KILLED" if killed else "FAILED")
            raise


def episode_figures(rows: Sequence[Mapping[str, str]]) -> dict[str, float]:
    """Largest and mean length and return of the training's episodes."""
    found: dict[str, float] = {}
    for name, column in COLUMNS.items():
        values = [float(row[column]) for row in rows if row[column]]
        if values:
            found |= {f"{name}_max": max(values), f"{name}_mean": float(np.mean(values))}
    return found


def _run(client: Any, address: str, experiment: str, run: str) -> str:
    """The id of this training's run, begun before or now."""
    there = client.get_experiment_by_name(experiment)
    if there is None:
        # A database has no place for artifacts of its own; they would land where this process happens to be.
        name = re.sub(r"[^\w.-]+", "_", experiment)
        local = os.environ.get(LOCAL)
        place = f"{local}/artifacts/{name}" if local and address == f"sqlite:///{local}/mlflow.db" else None
        number = client.create_experiment(experiment, artifact_location=place)
    else:
        number = there.experiment_id
    quoted = run.replace("'", "")
    found = client.search_runs([number], f"tags.`{RUN_TAG}` = '{quoted}'", max_results=1) if quoted else []
    if found:
        return found[0].info.run_id
    return client.create_run(number, run_name=run or None, tags={RUN_TAG: quoted}).info.run_id
