"""Models that race against the learner: asked through OpenVINO, driving beside its cars in training."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from kuberacer.coach.build import build_agent
from kuberacer.coach.frozen_policy import FrozenPolicy
from kuberacer.coach.hyperparameters import Hyperparameters
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.errors import UserError
from kuberacer.rollout.entrants import Entrant
from kuberacer.rollout.frame_stack import Observations
from kuberacer.rollout.rival_models import of_folder, rival
from kuberacer.rollout.rivals import AmongRivals
from kuberacer.sim.episode import SimConfig
from kuberacer.sim.race_sim import RaceSim
from kuberacer.sim.scene import Scene
from kuberacer.sim.track import Track
from kuberacer.store.client import ObjectStore
from tests.seaweed import seaweed

METADATA = ModelMetadata.default("clipped_ppo")
STRAIGHT = 2


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published model's folder, with a stack of two frames."""
    folder = tmp_path_factory.mktemp("model")
    agent = build_agent(METADATA, Hyperparameters.parse('{"stack_size": 2}', "clipped_ppo"), cars=1)
    agent.export_frozen(folder / "model.pb")
    agent.save(folder / "checkpoint")
    agent.close()
    (folder / "model_metadata.json").write_text(METADATA.to_json())
    return folder


def test_a_rival_acts_as_its_graph_says(model: Path, ring: Track):
    ada = of_folder(model, "Ada", "Red", "s3://bucket/ada")
    assert ada.stack == 2
    sim = RaceSim(ring, 24)
    sim.reset()
    sim.render()
    seen = Observations(sim, METADATA, 2).current
    frozen = FrozenPolicy(model / "model.pb", METADATA)
    assert ada.policy(seen).tolist() == frozen.best_actions(seen).tolist()


def test_a_checkpoint_without_a_graph_is_frozen(model: Path, ring: Track, tmp_path: Path):
    with seaweed(tmp_path / "store") as settings:
        store = ObjectStore(settings)
        for file in (model / "checkpoint").glob("*.ckpt.*"):
            store.put_file(f"ada/model/{file.name}", file)
        store.put_file("ada/model/model_metadata.json", model / "model_metadata.json")
        found = rival(settings, f"s3://{settings.kuberacer_s3_bucket}/ada", "best", tmp_path / "model", "Ada", "Blue")
    sim = RaceSim(ring, 8)
    sim.reset()
    sim.render()
    seen = Observations(sim, METADATA, 2).current
    assert found.policy(seen).tolist() == of_folder(model, "", "Red", "").policy(seen).tolist()
    assert (found.name, found.color, found.model) == ("Ada", "Blue", f"s3://{settings.kuberacer_s3_bucket}/ada")


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"training_algorithm": "dqn"}, "the graph has no"),
        ({"sensor": ["STEREO_CAMERAS"]}, "the graph has no"),
        ({"action_space": [{"steering_angle": a, "speed": 1.0} for a in (0, 10, 20)]}, "5 actions|5,"),
    ],
)
def test_a_graph_that_does_not_fit_its_metadata_is_refused(model: Path, tmp_path: Path, change: dict, cause: str):
    shutil.copy(model / "model.pb", tmp_path)
    text = json.loads((model / "model_metadata.json").read_text())
    (tmp_path / "model_metadata.json").write_text(json.dumps({**text, **change}))
    with pytest.raises(UserError, match=f"s3://bucket/ada: the graph does not fit its metadata: .*({cause})"):
        of_folder(tmp_path, "Ada", "Red", "s3://bucket/ada")


@pytest.mark.parametrize("data", [b"", b"no graph", bytes(range(256)) * 100])
def test_what_is_no_graph_is_refused(model: Path, tmp_path: Path, data: bytes):
    shutil.copy(model / "model_metadata.json", tmp_path)
    (tmp_path / "model.pb").write_bytes(data)
    with pytest.raises(UserError, match="does not fit"):
        of_folder(tmp_path, "Ada", "Red", "rival")


class Seen:
    """A rival that notes how it is asked and goes straight on."""

    def __init__(self):
        self.asked: list[np.ndarray] = []

    def __call__(self, observations: np.ndarray) -> np.ndarray:
        self.asked.append(np.array(observations))
        return np.full(len(observations), STRAIGHT)


def among(ring: Track, cars: int, *policies, stack: int = 1, seed: int = 0) -> AmongRivals:
    scene = Scene(together=len(policies) + 1)
    sim = RaceSim(ring, cars * (len(policies) + 1), seed=seed, config=SimConfig(scene=scene))
    return AmongRivals(sim, [Entrant(policy, METADATA, stack) for policy in policies])


def drive(view: AmongRivals, steps: int) -> list[np.ndarray]:
    """The learner's cars go straight on, too; where they were."""
    view.reset()
    view.render()
    found = []
    for _ in range(steps):
        view.advance(np.zeros(view.cars), np.full(view.cars, 1.2))
        found.append(np.stack([view.values.x, view.values.y, view.values.sim_time], axis=1))
        done = view.terminated | view.truncated
        if done.any():
            view.reset(done)
        view.render()
    return found


def test_the_learner_sees_its_own_cars_only(ring: Track):
    view = among(ring, 3, Seen(), Seen())
    view.reset()
    view.render()
    assert view.cars == 3
    assert view.frames.shape == (3, 1, 120, 160)
    assert view.values.cars == len(view.terminated) == len(view.episode) == 3
    assert view.objects.shape == (3, 2)
    assert view.values.objects_location.shape == (3, 2, 2)
    view.sim.values.x[3] = 77.0
    assert view.values.x[1] == 77.0, "the arrays are the simulator's own"
    assert view.values.waypoints == view.sim.values.waypoints


def test_rivals_drive_on_whatever_becomes_of_them(ring: Track):
    seen = Seen()
    view = among(ring, 2, seen)
    drive(view, 120)
    assert len(seen.asked) == 120
    assert all(asked.shape == (2, 120, 160, 1) for asked in seen.asked)
    episodes = view.sim.episode.reshape(2, 2)
    assert (episodes[:, 0] > 0).all(), "straight on leaves the ring: the learner's episodes end"
    assert (episodes[:, 1] == 0).all(), "the rival is put back and goes on"
    assert (view.sim.values.steps.reshape(2, 2)[:, 1] == 120).all()


def test_a_rival_sees_its_last_frames_and_starts_anew_where_it_is_put_back(ring: Track):
    seen = Seen()
    drive(among(ring, 1, seen, stack=2), 60)
    same = [bool((asked[..., 0] == asked[..., 1]).all()) for asked in seen.asked]
    assert same[0]
    assert not same[1]
    assert 1 < sum(same) < 10, "the stack begins anew at each place where it is put back"
    for before, after in zip(seen.asked, seen.asked[1:], strict=False):
        assert (after[..., 0] == after[..., 1]).all() or (after[..., 0] == before[..., 1]).all()


def test_the_same_seed_gives_the_same_race(ring: Track):
    one, other = (drive(among(ring, 2, Seen(), seed=5), 80) for _ in range(2))
    assert np.array_equal(one, other)
    view = among(ring, 2, Seen(), seed=1)
    drive(view, 10)
    view.restart(5)
    assert view.seed == 5
    again = [np.stack([view.values.x, view.values.y, view.values.sim_time], axis=1)]
    fresh = among(ring, 2, Seen(), seed=5)
    fresh.reset()
    assert np.array_equal(again[0], np.stack([fresh.values.x, fresh.values.y, fresh.values.sim_time], axis=1))


def test_groups_have_a_seat_for_every_rival(ring: Track):
    with pytest.raises(ValueError, match="groups of 1 cars for 1 rivals"):
        AmongRivals(RaceSim(ring, 2), [Entrant(Seen(), METADATA)])
