"""Training against models: fetched from the store, driven beside the learner's cars, here and on workers."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from kuberacer.coach.build import build_agent
from kuberacer.coach.choose import Explore
from kuberacer.coach.hyperparameters import Hyperparameters
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.errors import UserError
from kuberacer.formats.race_config import RaceConfig
from kuberacer.rollout.collector import Collector
from kuberacer.rollout.fragment import Tag, decode, encode
from kuberacer.rollout.handout import Handout, NodeCache, Setup
from kuberacer.rollout.player import Player
from kuberacer.rollout.race_rules import lap_rules, training_rules
from kuberacer.rollout.rivals import AmongRivals
from kuberacer.rollout.simulator import equipment
from kuberacer.rollout.training_rivals import TrainingRivals
from kuberacer.sim.track import Track
from kuberacer.store.client import ObjectStore
from tests.seaweed import seaweed

METADATA = ModelMetadata.default("clipped_ppo")
REWARD = "def reward_function(params):\n    return params['speed'] + params['objects_distance'][0]\n"


def race(*rivals: str, **more: object) -> RaceConfig:
    keys = {"RACE_TYPE": "F1", "MODEL_S3_PREFIX": ["mine", *rivals], "CAR_COLOR": ["White", "Purple"]}
    return RaceConfig.parse(yaml.safe_dump({**keys, "DISPLAY_NAME": ["Me", "Ada"], **more}), "training")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory):
    """With a published model at ada/model."""
    folder = tmp_path_factory.mktemp("rival")
    agent = build_agent(METADATA, Hyperparameters.parse("", "clipped_ppo"), cars=1)
    agent.export_frozen(folder / "model.pb")
    agent.close()
    with seaweed(tmp_path_factory.mktemp("store")) as settings:
        found = ObjectStore(settings)
        found.put_file("ada/model/model_3.pb", folder / "model.pb")
        found.put_bytes("ada/model/model_metadata.json", METADATA.to_json().encode())
        yield found, settings


@pytest.fixture
def fetched(store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainingRivals:
    for name, value in store[1].environment().items():
        monkeypatch.setenv(name, value)
    return TrainingRivals.fetch(race("ada"), tmp_path)


def setup(ring: Track, rivals: TrainingRivals, **more: object) -> Setup:
    chosen = race("ada", **more)
    return Setup(
        track_name="ring", route=ring.route().tolist(), metadata=METADATA.to_json(), algorithm="clipped_ppo",
        reward=REWARD, environment={}, cars=3, stack=1, seed=3, rules=training_rules(chosen),
        lap_rules=lap_rules(chosen), lap_starts=2, rivals=rivals.models, color=chosen.cars[0].color,
    )  # fmt: skip


def test_a_rival_has_its_name_its_colour_and_its_graph(fetched: TrainingRivals):
    (model,) = fetched.models
    assert (model.name, model.color) == ("Ada", "Purple")
    assert fetched.graphs[model.graph].stat().st_size > 1000
    assert ModelMetadata.parse(model.metadata) == METADATA


def test_a_rival_that_is_not_there_is_an_error_that_names_it(store, tmp_path, monkeypatch):
    for name, value in store[1].environment().items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match="eve"):
        TrainingRivals.fetch(race("eve"), tmp_path)


def test_without_rivals_nothing_is_asked_of_the_store(tmp_path: Path):
    assert TrainingRivals.fetch(RaceConfig.parse("", "training"), tmp_path).models == ()


def test_an_iteration_is_played_among_rivals(ring: Track, fetched: TrainingRivals):
    made = setup(ring, fetched)
    rivals = made.entrants(fetched.graphs.__getitem__)
    sim = made.simulator(rivals, 7)
    assert isinstance(sim, AmongRivals)
    hyper = Hyperparameters.parse('{"rollout_steps": 96, "batch_size": 64}', "clipped_ppo")
    agent = build_agent(METADATA, hyper, cars=made.cars, seed=3)
    with made.reward_process(made.cars) as reward:
        collector = Collector(sim, reward, agent, METADATA, 1)
        collector.play()
        rewards = reward(sim.values)
    assert np.all(rewards > 0)
    assert np.allclose(rewards - sim.values.speed, sim.values.objects_distance[:, 0])
    assert len(collector.trace.rows) >= 96 // made.cars
    lap = made.drive_laps(lambda seen: np.full(len(seen), 2), 1, rivals)
    assert (lap.completed, lap.laps) == (False, 0)
    agent.close()


def test_workers_get_the_rivals_of_their_trainer(ring: Track, fetched: TrainingRivals, store, tmp_path: Path):
    made = setup(ring, fetched)
    handout = Handout(store[0], "run")
    for graph in fetched.graphs.values():
        handout.rival(graph)
    cache = NodeCache(store[0], "run", tmp_path / "cache")
    told = Setup.parse(cache.fetch(handout.setup(made), "json").read_bytes())
    assert told == made
    (rival,) = told.entrants(lambda digest: cache.fetch(digest, "pb"))
    assert (rival.name, rival.color) == ("Ada", "Purple")
    seen = np.zeros((2, 120, 160, 1), np.uint8)
    assert rival.policy(seen).shape == (2,)


class Straight:
    """Any of five actions, whatever it sees."""

    explore = Explore("categorical", actions=5)

    def ask(self, seen):
        return np.full((len(seen), 5), 0.2, np.float32), None


def test_a_worker_plays_fragments_among_rivals_with_clean_frames(ring: Track, fetched: TrainingRivals):
    made = setup(ring, fetched, ENABLE_DOMAIN_RANDOMIZATION=True)
    sim = made.simulator(made.entrants(fetched.graphs.__getitem__), 7, clean=True)
    with made.reward_process(made.cars) as reward:
        player = Player(sim, reward, METADATA, 1, np.random.default_rng(1))
        fragment = player.play(Straight(), 40, Tag("s", "w", 0, 1))
    assert fragment.cars == 3
    assert fragment.frames.shape[:3] == (41, 3, 1)
    assert decode(encode(fragment)).rewards.tolist() == fragment.rewards.tolist()
    assert fragment.terminated.any(), "cars that steer at random leave the ring"


def test_cars_that_share_a_simulator_have_one_kind_of_camera():
    def model(*sensors: str) -> ModelMetadata:
        text = METADATA.to_json().replace('"FRONT_FACING_CAMERA"', ", ".join(f'"{sensor}"' for sensor in sensors))
        return ModelMetadata.parse(text)

    front, lidar = model("FRONT_FACING_CAMERA"), model("FRONT_FACING_CAMERA", "LIDAR")
    assert equipment([front, front]) == ("FRONT_FACING_CAMERA",)
    assert equipment([front, lidar]) == ("FRONT_FACING_CAMERA", "LIDAR")
    with pytest.raises(UserError, match="cameras differ: FRONT_FACING_CAMERA, STEREO_CAMERAS"):
        equipment([front, model("STEREO_CAMERAS")])
