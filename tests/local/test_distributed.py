"""Distributed rollouts with a real Redis, a real store and real worker processes, of which some are killed."""

import csv
import json
import math
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kuberacer.store.checkpoints import CheckpointStore
from kuberacer.store.client import ObjectStore
from tests.local.distributed import QUOTA, SameStore, Training, assert_exact, logs, running_store
from tests.unit.coach.presets import small_preset

RHYTHM = f"agent_params.algorithm.num_consecutive_playing_steps = EnvironmentSteps({QUOTA})"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SameStore]:
    with running_store(tmp_path / "store") as store:
        yield store


@pytest.fixture
def start(tmp_path: Path, store: SameStore) -> Iterator[Callable[..., Training]]:
    trainings: list[Training] = []

    def begin(workers: int = 2, **options: object) -> Training:
        trainings.append(Training.start(tmp_path / "train", store, workers, **options))
        return trainings[-1]

    yield begin
    for training in trainings:
        training.process.kill()
        training.process.wait()


def test_every_iteration_has_its_quota_though_worker_redis_and_store_are_killed(
    start: Callable[..., Training], store: SameStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = start(steps=7 * QUOTA)
    training.wait_for("iteration 1 ")
    training.child("--index 1").kill()
    training.wait_for("iteration 2 ")
    training.child("valkey-server").kill()
    training.wait_for("iteration 3 ")
    store.kill()
    time.sleep(2.0)
    store.come_back(monkeypatch)
    assert training.end() == 0, training.lines
    assert_exact(training, 7)
    assert not training.left_behind()
    said = logs(store)
    assert "iteration 7" in said["train.log"]
    assert sum("worker-1" in name for name in said) == 2  # the killed one, and the one after it
    assert sum("worker-2" in name for name in said) == 1
    assert "policy 7" in next(text for name, text in said.items() if "evaluator" in name)
    assert store.settings is not None
    kept = CheckpointStore(ObjectStore(store.settings), "r")
    last, best = kept.find("last"), kept.find("best")
    assert last is not None
    assert best is not None
    assert (last.iteration, best.iteration) == (7, training.summary["best"]["iteration"])
    assert not list(ObjectStore(store.settings).list("r/rollouts/"))


def test_videos_of_iterations_are_made_of_what_workers_sent(start: Callable[..., Training]) -> None:
    race = "RACE_TYPE: OBJECT_AVOIDANCE\nNUMBER_OF_OBSTACLES: 2\n"
    training = start(1, steps=2 * QUOTA, race=race, **{"training-videos": 2})
    assert training.end() == 0, training.lines
    views = ("45degree", "pip", "topview")
    listed = json.loads((training.folder / "videos" / "videos.json").read_text())["videos"]
    assert listed == [f"camera-{view}/2-video.mp4" for view in views]
    assert all((training.folder / "videos" / name).read_bytes()[4:8] == b"ftyp" for name in listed)
    assert not training.left_behind()


def test_a_killed_trainer_goes_on_where_it_was(start: Callable[..., Training], store: SameStore) -> None:
    training = start(steps=4 * QUOTA)
    training.wait_for("iteration 2 ")
    training.process.kill()
    training.process.wait()
    assert not training.left_behind()  # neither Redis nor workers
    assert store.settings is not None
    last = CheckpointStore(ObjectStore(store.settings), "r").find("last")
    assert last is not None
    again = start(steps=4 * QUOTA)
    assert again.end() == 0, again.lines
    assert any(f"goes on after iteration {last.iteration}" in line for line in again.lines)
    assert_exact(again, 4)


def test_sigterm_sends_the_checkpoint_and_leaves(start: Callable[..., Training], store: SameStore) -> None:
    training = start(steps=50 * QUOTA)
    training.wait_for("iteration 2 ")
    training.process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    assert training.end() == 130
    assert time.monotonic() - began < 25
    assert not training.left_behind()
    assert store.settings is not None
    last = CheckpointStore(ObjectStore(store.settings), "r").find("last")
    assert last is not None
    assert last.iteration >= 2


def test_the_number_of_workers_changes_while_it_runs(start: Callable[..., Training], store: SameStore) -> None:
    training = start(workers=1, steps=5 * QUOTA)
    training.wait_for("iteration 1 ")
    assert store.settings is not None
    ObjectStore(store.settings).put_bytes("r/rollouts/scale.json", json.dumps({"workers": 2}).encode())
    assert training.end() == 0, training.lines
    assert any("2 rollout workers instead of 1" in line for line in training.lines)
    assert_exact(training, 5)


def test_an_error_in_the_reward_ends_the_training_with_its_line(start: Callable[..., Training]) -> None:
    training = start(reward="def reward_function(params):\n    return 1 / (params['steps'] - 5)\n", steps=9 * QUOTA)
    assert training.end() == 1
    assert any("reward_function.py:2" in line or "reward.py:2" in line for line in training.lines), training.lines
    assert training.lines[-1].startswith("remedy:")
    assert not training.left_behind()


@pytest.mark.parametrize("algorithm", ["sac", "dqn"])
def test_replay_learners_learn_from_workers(start: Callable[..., Training], algorithm: str) -> None:
    training = start(
        algorithm=algorithm,
        preset=small_preset(algorithm, RHYTHM),
        hyperparameters=f'{{"heatup_steps": 300, "replay_size": 1000, "rollout_steps": {QUOTA}}}',
        steps=4 * QUOTA,
    )
    assert training.end() == 0, training.lines
    rows = training.history
    # The first iteration fills the memory as far as learning needs it; the others have the quota.
    accepted = [row["learning"]["accepted_steps"] for row in rows]
    assert accepted[0] >= 300
    assert accepted[1:] == [QUOTA] * (len(rows) - 1)
    learned = training.steps_learned()
    assert (sum(learned.values()), max(learned.values())) == (rows[-1]["steps"], 1)


RACE = "ENABLE_DOMAIN_RANDOMIZATION: true\nREVERSE_DIR: true\nBEST_MODEL_METRIC: reward\nMIN_EVAL_TRIALS: 2\n"


def test_workers_and_evaluator_drive_the_race_of_the_yaml(start: Callable[..., Training]) -> None:
    training = start(1, steps=2 * QUOTA, race=RACE)
    assert training.end() == 0, training.lines
    assert_exact(training, 2)
    metrics = json.loads((training.folder / "metrics.json").read_text())
    assert metrics["best_model_metric"] == "reward"
    laps = [entry["reward_score"] for entry in metrics["metrics"] if entry["phase"] == "evaluation"]
    assert laps
    assert min(laps) > 0  # the evaluator asked the reward function
    # The ring's centre is the origin: whoever drives it the other way round turns clockwise.
    turns = []
    for path in (training.folder / "simtrace").glob("*-iteration.csv"):
        with path.open() as file:
            rows = [{key: float(row[key]) for key in ("X", "Y", "yaw")} for row in csv.DictReader(file)]
        turns += [
            row["X"] * math.sin(math.radians(row["yaw"])) - row["Y"] * math.cos(math.radians(row["yaw"]))
            for row in rows
        ]
    assert sum(turn < 0 for turn in turns) > 0.9 * len(turns)


SEES_RIVAL = (
    "def reward_function(params):\n    assert len(params['objects_location']) == 1\n    return params['speed']\n"
)


def test_workers_and_evaluator_drive_against_another_runs_model(
    start: Callable[..., Training], store: SameStore
) -> None:
    rival = start(1, steps=QUOTA)
    assert rival.end() == 0, rival.lines
    assert store.settings is not None
    metadata = (rival.folder / "checkpoint" / "model_metadata.json").read_bytes()
    ObjectStore(store.settings).put_bytes("r/model/model_metadata.json", metadata)  # as publish does
    race = "RACE_TYPE: HEAD_TO_MODEL\nMODEL_S3_PREFIX: [mine, r]\n"
    training = start(1, steps=2 * QUOTA, run="r2", race=race, reward=SEES_RIVAL)
    assert training.end() == 0, training.lines
    assert_exact(training, 2)
    assert not list(ObjectStore(store.settings).list("r2/rollouts/"))
