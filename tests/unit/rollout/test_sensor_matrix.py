"""Every sensor through networks, algorithms and stacks: a tiny training, here and from fragments, freezing, driving.

16 combinations, in which each pair of choices meets (docs/sensors.md); KUBERACER_TEST_MATRIX=1/1 takes all 768,
3/8 the third of eight parts.
"""

import gc
import itertools
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from kuberacer.coach import frozen_checks, onnx_graph
from kuberacer.coach.agent import Agent
from kuberacer.coach.build import build_agent
from kuberacer.coach.compat.tensorflow_names import tf
from kuberacer.coach.freeze import freeze_checkpoint
from kuberacer.coach.frozen_names import input_names
from kuberacer.coach.frozen_policy import FrozenPolicy
from kuberacer.coach.hyperparameters import Hyperparameters
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.coach.sensors import CAMERAS, LIDARS, arrays
from kuberacer.errors import UserError
from kuberacer.rollout.assemble import observations, segments
from kuberacer.rollout.collector import Collector
from kuberacer.rollout.driving_policy import DrivingPolicy
from kuberacer.rollout.entrants import Entrant
from kuberacer.rollout.evaluation import Evaluation
from kuberacer.rollout.fragment import Tag, decode, encode
from kuberacer.rollout.laps import drive_laps
from kuberacer.rollout.player import Player
from kuberacer.rollout.simulator import simulator
from kuberacer.rollout.trial import Rules
from kuberacer.sim.episode import SimConfig
from kuberacer.sim.params import ParamArrays
from kuberacer.sim.track import Track
from kuberacer.stages import freeze_graph, freeze_race

CARS, TIME = 4, 8
SHORT = SimConfig(max_steps=5)  # episodes are cut often
BOUNDS = {"steering_angle": {"low": -30, "high": 30}, "speed": {"low": 0.8, "high": 1.2}}
CHOICES = [{"steering_angle": angle, "speed": 1.0} for angle in (-20, 0, 20)]
LEARNERS = {
    "PPO, discrete": ("clipped_ppo", CHOICES),
    "PPO, continuous": ("clipped_ppo", BOUNDS),
    "SAC": ("sac", BOUNDS),
    "DQN": ("dqn", CHOICES),
}
NETWORKS = ("DEEP_CONVOLUTIONAL_NETWORK_SHALLOW", "DEEP_CONVOLUTIONAL_NETWORK", "DEEP_CONVOLUTIONAL_NETWORK_DEEP")
LIDAR_VALUES = {None: None, "LIDAR": 64, "SECTOR_LIDAR": 8, "DISCRETIZED_SECTOR_LIDAR": 12}


@dataclass(frozen=True)
class Combination:
    camera: str
    lidar: str | None
    learner: str
    stack: int
    network: str

    def __str__(self) -> str:
        network = self.network.removeprefix("DEEP_CONVOLUTIONAL_NETWORK").removeprefix("_") or "PLAIN"
        return f"{self.camera}+{self.lidar}, {self.learner}, stack {self.stack}, {network}"

    @property
    def metadata(self) -> ModelMetadata:
        algorithm, space = LEARNERS[self.learner]
        text = {
            "action_space": space,
            "training_algorithm": algorithm,
            "neural_network": self.network,
            "sensor": [self.camera, *([self.lidar] if self.lidar else [])],
            "lidar_config": {"num_sectors": 4, "num_values_per_sector": 3, "clipping_dist": 1.5},
        }
        return ModelMetadata.parse(json.dumps(text))


def covering() -> list[Combination]:
    """The 16 rows of an orthogonal array of strength two, OA(16, 5, 4, 2): lines over the field of four elements."""

    def times(a: int, b: int) -> int:
        return 0 if not a or not b else (a + b - 2) % 3 + 1  # powers of a generator

    rows = []
    for i, j in itertools.product(range(4), repeat=2):
        lines = [i ^ times(k, j) for k in (1, 2, 3)]  # 0, 1, g, g + 1 add as their bits
        rows.append(
            Combination(
                CAMERAS[i],
                (None, *LIDARS)[j],
                list(LEARNERS)[lines[0]],
                1 + lines[1],
                NETWORKS[lines[2] % len(NETWORKS)],
            )
        )
    return rows


def everything() -> list[Combination]:
    return [
        Combination(*choices)
        for choices in itertools.product(CAMERAS, (None, *LIDARS), LEARNERS, (1, 2, 3, 4), NETWORKS)
    ]


def part(asked: str) -> list[Combination]:
    """3/8: the third of eight parts of all of them, each a like mixture."""
    number, _, parts = asked.partition("/")
    assert 1 <= int(number) <= int(parts), f"KUBERACER_TEST_MATRIX is {asked!r}, not such as 3/8"
    return everything()[int(number) - 1 :: int(parts)]


ASKED = os.environ.get("KUBERACER_TEST_MATRIX", "")


def test_each_pair_of_choices_meets() -> None:
    for one, other in itertools.combinations(range(5), 2):

        def pairs(rows: list[Combination], one: int = one, other: int = other) -> set:
            values = [(row.camera, row.lidar, row.learner, row.stack, row.network) for row in rows]
            return {(value[one], value[other]) for value in values}

        assert pairs(covering()) == pairs(everything())


def on_the_road(values: ParamArrays) -> np.ndarray:
    return np.where(values.all_wheels_on_track, 1.0, 0.0)


def agent_of(combination: Combination) -> Agent:
    algorithm = combination.metadata.algorithm
    hyper = {"stack_size": combination.stack, "rollout_steps": CARS * TIME, "batch_size": 32}
    if algorithm == "clipped_ppo":
        hyper |= {"num_epochs": 1}
    else:
        hyper |= {"heatup_steps": CARS * TIME, "replay_size": 1000, "updates_per_iteration": 1}
    return build_agent(
        combination.metadata, Hyperparameters.parse(json.dumps(hyper), algorithm), cars=CARS, seed=1, precision="fp32"
    )


@pytest.mark.parametrize("combination", part(ASKED) if ASKED else covering(), ids=str)
def test_it_is_trained_frozen_and_driven(combination: Combination, ring: Track, tmp_path: Path, monkeypatch) -> None:
    metadata, agent = combination.metadata, agent_of(combination)
    views = 2 if combination.camera == "STEREO_CAMERAS" else 1
    values = LIDAR_VALUES[combination.lidar]
    shapes = [(120, 160, views * combination.stack), *([(values,)] if values else [])]
    assert [given.shape for given in agent.inputs] == shapes
    assert agent.stack_size == combination.stack
    try:
        learns_from_its_own_play(agent, ring)
        learns_from_fragments(agent, ring, tmp_path)
        agent.save(tmp_path)
    finally:
        agent.close()
        gc.collect()  # a graph of this size goes only with its cycles
    model = tmp_path / "model.pb"
    freeze_checkpoint(tmp_path, model, metadata)
    has_the_cars_inputs(model, combination)
    if ASKED:
        onnx_graph.convert(model, metadata, model.with_suffix(".onnx"))
    else:
        # Its conversion takes longer than the rest; tests/unit/coach/test_freeze.py has it for every kind of input.
        monkeypatch.delitem(frozen_checks.RUNTIMES, "onnxruntime")
    seen = freeze_race.around_a_lap(metadata, combination.stack, freeze_graph.CHECK_FRAMES)
    checks = freeze_graph.check(model, metadata, seen, frozen_checks.checkpoint_outputs(tmp_path, metadata, seen))
    freeze_graph.judge(checks)
    assert list(checks["inputs"].values()) == [[1, *shape] for shape in shapes]
    drives(model, metadata, ring)


def learns_from_its_own_play(agent: Agent, ring: Track) -> None:
    sim = simulator(ring, CARS, agent.metadata, SHORT, seed=5)
    collector = Collector(sim, on_the_road, agent, agent.metadata, agent.stack_size)
    collector.play()
    assert [array.dtype for array in arrays(collector.observations.current)] == [given.dtype for given in agent.inputs]
    stats = agent.learn(collector.observations.current)
    assert agent.iteration == 1
    assert all(np.isfinite(value) for value in stats.values())


def learns_from_fragments(agent: Agent, ring: Track, folder: Path) -> None:
    """What workers ask is the agent's network; what they send, it learns from."""
    metadata, graph = agent.metadata, folder / "rollout.pb"
    outputs = agent.export_for_rollouts(graph)
    policy = DrivingPolicy(graph, input_names(metadata), outputs, agent.explore(), threads=2)
    sim = simulator(ring, CARS, metadata, SHORT, seed=6)
    player = Player(sim, on_the_road, metadata, agent.stack_size, np.random.default_rng(3))
    fragment = decode(encode(player.play(policy, TIME, Tag("s", "w", 0, 1))))
    assert fragment.shapes == tuple(given.shape for given in agent.inputs)
    seen, finals = observations(fragment)
    assert finals
    newest = tuple(array[-1] for array in arrays(seen))
    for mine, theirs in zip(newest, arrays(player.observations.current), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    last = newest if len(newest) > 1 else newest[0]
    np.testing.assert_allclose(policy.best_actions(last), agent.best_actions(last), atol=2e-4)
    stats = agent.learn_segments(segments([fragment]))
    assert all(np.isfinite(value) for value in stats.values())


def has_the_cars_inputs(model: Path, combination: Combination) -> None:
    network = "policy" if combination.learner == "SAC" else "main"
    sensors = [combination.camera, *([combination.lidar] if combination.lidar else [])]
    wanted = {f"main_level/agent/{network}/online/network_0/{name}/{name}" for name in sensors}
    graph = tf.GraphDef.FromString(model.read_bytes())
    assert {node.name for node in graph.node if node.op == "Placeholder"} == wanted


def drives(model: Path, metadata: ModelMetadata, ring: Track) -> None:
    policy = FrozenPolicy(model, metadata)
    entrant = Entrant(policy.best_actions, metadata, policy.stack_size)
    ((trial,),) = Evaluation([entrant], ring, Rules(trials=1, resets=0), seed=4).run()
    lap = drive_laps(policy.best_actions, ring, metadata, policy.stack_size, starts=2)
    policy.close()
    assert trial.rows[-1].done
    assert trial.status != "in_progress"
    assert lap.status != "in_progress"


@pytest.mark.parametrize("learner", [("sac", CHOICES), ("dqn", BOUNDS)], ids=["SAC, discrete", "DQN, continuous"])
@pytest.mark.parametrize("network", NETWORKS)
def test_an_action_space_that_an_algorithm_does_not_take_is_named(learner: tuple, network: str) -> None:
    algorithm, space = learner
    text = {"action_space": space, "training_algorithm": algorithm, "neural_network": network}
    with pytest.raises(UserError, match=f"{algorithm} with a .* action_space") as caught:
        ModelMetadata.parse(json.dumps(text))
    assert caught.value.remedy


def test_any_other_set_of_sensors_is_named() -> None:
    sensors = CAMERAS + LIDARS
    valid = 0
    for count in range(len(sensors) + 1):
        for chosen in itertools.combinations(sensors, count):
            text = json.dumps({"action_space": CHOICES, "sensor": list(chosen)})
            cameras, lidars = (sum(name in kind for name in chosen) for kind in (CAMERAS, LIDARS))
            if cameras == 1 and lidars <= 1:
                assert ModelMetadata.parse(text).sensors == chosen
                valid += 1
            else:
                with pytest.raises(UserError, match="sensor is") as caught:
                    ModelMetadata.parse(text)
                assert "one camera and at most one lidar" in caught.value.remedy
    assert valid == 16
