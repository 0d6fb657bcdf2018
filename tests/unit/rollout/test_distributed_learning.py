"""What is learned from fragments is what is learned from the same play in process."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kuberacer.coach.agent import Agent
from kuberacer.coach.algorithms import WITHOUT_PRESET
from kuberacer.coach.build import build_agent
from kuberacer.coach.choose import Explore
from kuberacer.coach.frozen_names import input_names
from kuberacer.coach.hyperparameters import Hyperparameters
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.coach.sensors import Observation, arrays, chosen
from kuberacer.coach.user_preset import Preset
from kuberacer.rollout.assemble import Episodes, observations, segments
from kuberacer.rollout.collector import Collector
from kuberacer.rollout.driving_policy import DrivingPolicy
from kuberacer.rollout.fragment import Fragment, Tag, decode, encode
from kuberacer.rollout.frame_stack import channels_last
from kuberacer.rollout.player import Player
from kuberacer.rollout.simulator import simulator
from kuberacer.sim.episode import SimConfig
from kuberacer.sim.params import ParamArrays
from kuberacer.sim.track import Track
from tests.unit.coach.presets import small_preset

CARS, TIME, PIECES = 3, 16, 3
SHORT = SimConfig(max_steps=7)  # episodes are cut often
CONTINUOUS = '{"action_space": {"steering_angle": {"low": -30, "high": 30}, "speed": {"low": 0.8, "high": 1.2}}}'
STEREO_AND_LIDAR = CONTINUOUS.replace("{", '{"sensor": ["STEREO_CAMERAS", "LIDAR"], ', 1)
KINDS = [
    ("clipped_ppo", None, 1),
    ("clipped_ppo", None, 3),
    ("clipped_ppo", CONTINUOUS, 1),
    ("sac", None, 1),
    ("sac", STEREO_AND_LIDAR, 2),
    ("dqn", None, 2),
    ("td3", None, 1),
]


def on_the_road(values: ParamArrays) -> np.ndarray:
    return np.where(values.all_wheels_on_track, 1.0, 0.0)


def made(algorithm: str, metadata: str | None, stack: int, seed: int = 3) -> Agent:
    # A memory of two heat-up steps: what is compared was played by the policy.
    rhythm = '"rollout_steps": 144, "batch_size": 32'
    more = "" if algorithm == "clipped_ppo" else ', "heatup_steps": 1, "replay_size": 1000, "updates_per_iteration": 4'
    model = ModelMetadata.parse(metadata, algorithm)
    hyper = Hyperparameters.parse(f'{{{rhythm}, "stack_size": {stack}{more}}}', algorithm)
    preset = None if algorithm in WITHOUT_PRESET else Preset.load(small_preset(algorithm))
    return build_agent(model, hyper, cars=CARS, seed=seed, preset=preset, threads=1, precision="fp32")


class AsInProcess:
    """A policy for a Player that asks the agent's own network."""

    def __init__(self, agent: Agent):
        self.agent = agent
        self.explore = agent.explore()
        tensors = [tensor for tensor, _ in agent._policy_tensors()]
        self._ask = agent.coach.session.make_callable(tensors, agent.coach.inputs(agent._policy_network()))

    def ask(self, observation: Observation):
        first, *rest = self._ask(*arrays(observation))
        if self.explore.kind == "sac":
            return first, np.exp(rest[0])
        return first, rest[0] if rest else None


def fragments_of(agent: Agent, ring: Track, config: SimConfig = SHORT) -> list[Fragment]:
    player = Player(
        simulator(ring, CARS, agent.metadata, config, seed=5), on_the_road, agent.metadata, agent.stack_size,
        np.random.default_rng(3),
    )  # fmt: skip
    policy = AsInProcess(agent)
    return [decode(encode(player.play(policy, TIME, Tag("s", "w", number, 0)))) for number in range(PIECES)]


def weights(agent: Agent) -> list[np.ndarray]:
    return agent.coach.session.run(agent._policy_network().weights)


@pytest.mark.parametrize("metadata", [None, STEREO_AND_LIDAR], ids=["one camera", "stereo and a lidar"])
def test_clipped_ppo_learns_the_same(ring: Track, metadata: str | None) -> None:
    here, there = made("clipped_ppo", metadata, 2), made("clipped_ppo", metadata, 2)
    start = weights(here)
    here.rng = here.exploration._rng = np.random.default_rng(3)
    sim = simulator(ring, CARS, here.metadata, SHORT, seed=5)
    collector = Collector(sim, on_the_road, here, here.metadata, 2)
    collector.play()
    assert here.total_steps == CARS * TIME * PIECES
    pieces = fragments_of(there, ring)
    (segment,) = segments(pieces)
    played = here._played
    last = arrays(collector.observations.current)
    for name, seen, now in zip(here.metadata.sensors, arrays(segment.seen), last, strict=True):
        np.testing.assert_array_equal(seen[:-1], played[name], err_msg=name)
        np.testing.assert_array_equal(seen[-1], now, err_msg=name)
    for name in ("actions", "policy", "rewards", "terminated", "truncated"):
        np.testing.assert_array_equal(getattr(segment, name), played[name], err_msg=name)
    assert len(segment.finals) == len(played.finals) > 2
    for (step, cars, mine), (own_step, own_cars, theirs) in zip(segment.finals, played.finals, strict=True):
        assert (step, cars.tolist()) == (own_step, own_cars.tolist())
        for a, b in zip(arrays(mine), arrays(theirs), strict=True):
            np.testing.assert_array_equal(a, b)
    there.rng = np.random.default_rng(8)
    here.rng = np.random.default_rng(8)
    ours, theirs = here.learn(collector.observations.current), there.learn_segments([segment])
    for name in ("loss", "kl", "entropy", "value_loss", "policy_loss"):
        assert theirs[name] == pytest.approx(ours[name], abs=1e-5), name
    moved = max(np.abs(a - b).max() for a, b in zip(start, weights(here), strict=True))
    apart = max(np.abs(a - b).max() for a, b in zip(weights(here), weights(there), strict=True))
    assert apart < 0.02 * moved
    assert (there.total_steps, there.iteration) == (here.total_steps, here.iteration) == (144, 1)
    assert there.total_episodes == here.total_episodes > 0
    assert there._clip_scale() == here._clip_scale()
    here.close()
    there.close()


@pytest.mark.parametrize(("algorithm", "metadata", "stack"), KINDS)
def test_every_algorithm_learns_from_fragments(
    ring: Track, tmp_path: Path, algorithm: str, metadata: str | None, stack: int
) -> None:
    agent = made(algorithm, metadata, stack)
    agent.total_steps = 2  # behind the random beginning
    pieces = fragments_of(agent, ring)
    del pieces[1]  # a gap: two chains
    before = weights(agent)
    found = segments(pieces)
    assert [segment.steps for segment in found] == [CARS * TIME] * 2
    stats = agent.learn_segments(found)
    assert stats["samples"] == 2 * CARS * TIME
    assert all(np.isfinite(value) for value in stats.values())
    assert any((a != b).any() for a, b in zip(before, weights(agent), strict=True))

    # What workers ask is what the trainer has, and the probabilities that they tell are those of what they drew.
    outputs = agent.export_for_rollouts(tmp_path / "rollout.pb")
    driving = DrivingPolicy(tmp_path / "rollout.pb", input_names(agent.metadata), outputs, agent.explore())
    stacks, _ = observations(pieces[0])
    first = chosen(stacks, 0)
    asked, own = driving.ask(first), AsInProcess(agent).ask(first)
    np.testing.assert_allclose(asked[0], own[0], atol=2e-5)
    if own[1] is not None:
        np.testing.assert_allclose(asked[1], own[1], rtol=2e-4)
    else:
        assert asked[1] is None
    np.testing.assert_allclose(driving.best_actions(first), agent.best_actions(first), atol=2e-5)
    agent.close()


def test_the_replay_memory_never_mixes_workers(ring: Track) -> None:
    """The step after a fragment's last one is another worker's: its own last frames are what follows it."""
    agent = made("dqn", None, 1)
    agent.total_steps = 2
    pieces = fragments_of(agent, ring)
    others = [piece.tagged(replace(piece.tag, worker="v", sequence=9)) for piece in pieces[1:2]]
    for segment in segments([pieces[0], *others]):
        agent._remember(segment)
    memory, known = agent.memory, {}
    for piece in (*others, pieces[0]):
        stacks, finals = observations(piece)
        cut = {(row, int(car)): frame for row, cars, last in finals for car, frame in zip(cars, last, strict=True)}
        for row in range(TIME):
            for car in range(CARS):
                known[stacks[row, car].tobytes()] = cut.get((row, car), stacks[row + 1, car])
    batch = memory.sample(np.random.default_rng(0), 500)
    for frame, after in zip(arrays(batch.seen)[0], arrays(batch.following)[0], strict=True):
        np.testing.assert_array_equal(after, known[frame.tobytes()])
    agent.close()


def test_episodes_are_numbered_over_all_workers(ring: Track) -> None:
    agent = made("clipped_ppo", None, 1)
    pieces = fragments_of(agent, ring)
    agent.close()
    others = [piece.tagged(replace(piece.tag, worker="v")) for piece in pieces]
    episodes = Episodes(next=100)
    ended, rows = [], []
    for mine, theirs in zip(pieces, others, strict=True):  # three iterations
        finished, trace = episodes.of([theirs, mine])
        ended += finished
        rows += [(int(row["episode"]), int(row["steps"]), float(row["reward"])) for row, _ in trace.in_order()]
    assert len({row[:2] for row in rows}) == len(rows) == 2 * PIECES * CARS * TIME
    numbers = [episode.number for episode in ended]
    assert len(set(numbers)) == len(numbers)
    assert min(numbers) >= 100
    for episode in ended:
        own = [row for row in rows if row[0] == episode.number]
        assert len(own) == episode.steps == max(row[1] for row in own)
        assert sum(row[2] for row in own) == pytest.approx(episode.reward)


def test_clean_frames_travel_and_the_trainer_sees_what_the_cars_saw(ring: Track) -> None:
    class Watching:
        explore = Explore("random", 0.0, 5)
        seen: list[np.ndarray] = []  # noqa: RUF012

        def ask(self, frames: np.ndarray):
            self.seen.append(frames.copy())
            return np.ones((len(frames), 5), np.float32), None

    config = SimConfig(max_steps=7, randomization=True)
    stereo = ModelMetadata.parse(
        ModelMetadata.default("clipped_ppo").to_json().replace("FRONT_FACING_CAMERA", "STEREO_CAMERAS")
    )
    for depth, metadata in ((1, ModelMetadata.default("clipped_ppo")), (3, stereo)):
        Watching.seen.clear()
        sim = simulator(ring, CARS, metadata, config, seed=5, clean=True)
        player = Player(sim, on_the_road, metadata, depth, np.random.default_rng(0))
        for number in range(2):
            fragment = decode(encode(player.play(Watching(), TIME, Tag("s", "w", number, 0))))
            stacks, finals = observations(fragment)
            np.testing.assert_array_equal(stacks[:-1], np.stack(Watching.seen[-TIME:]))
            np.testing.assert_array_equal(stacks[-1], player.observations.current)
            assert finals
            assert (channels_last(fragment.frames) != stacks[..., -metadata.views :]).any()
