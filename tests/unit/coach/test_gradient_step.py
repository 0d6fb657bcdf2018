"""Our gradient steps against rl_coach's own code on the same batch: weights, optimizer state and all, bit for bit."""

import numpy as np
import pytest

from kuberacer.coach.compat.tensorflow_names import tf
from tests.unit.coach.presets import CONTINUOUS

BATCH = 32


class Variables:
    """Reads and writes every variable of an agent's graph."""

    def __init__(self, coach):
        self.session = coach.session
        with coach.graph.as_default():
            self.variables = tf.global_variables()
            self.given = [tf.placeholder(v.dtype.base_dtype, v.shape) for v in self.variables]
            self.assign = [v.assign(given) for v, given in zip(self.variables, self.given, strict=True)]

    def read(self):
        return [np.array(value) for value in self.session.run(self.variables)]

    def write(self, values):
        self.session.run(self.assign, dict(zip(self.given, values, strict=True)))


def after(variables, start, step, count):
    variables.write(start)
    for _ in range(count):
        step()
    return variables.read()


def largest_change(a, b):
    return max(np.abs(x.astype(np.float64) - y).max() for x, y in zip(a, b, strict=True))


def assert_equal_steps(agent, theirs, ours, different):
    variables = Variables(agent.coach)
    start = variables.read()
    for count in (1, 8):
        wanted = after(variables, start, theirs, count)
        found = after(variables, start, ours, count)
        assert largest_change(wanted, start) > 1e-4
        for variable, a, b in zip(variables.variables, wanted, found, strict=True):
            assert np.array_equal(a, b), f"{variable.name} differs by {np.abs(a - b).max()} after {count} steps"
    assert largest_change(after(variables, start, different, 1), after(variables, start, ours, 1)) > 1e-6


def random_frames(rng, count=BATCH):
    return rng.integers(0, 256, (count, 120, 160, 1), dtype=np.uint8)


@pytest.mark.parametrize("preset", ["small", None], ids=["small network", "DeepRacer's shallow network"])
def test_discrete_ppo_equals_rl_coach(make_agent, preset):
    agent = make_agent("clipped_ppo", preset=preset)
    rng = np.random.default_rng(0)
    frames, actions = random_frames(rng), rng.integers(5, size=BATCH).astype(np.int32)
    policy = rng.dirichlet(np.ones(5), BATCH).astype(np.float32)
    targets, found = rng.normal(size=(BATCH, 1)).astype(np.float32), rng.normal(size=BATCH).astype(np.float32)
    name = agent.metadata.camera
    inputs = {name: frames, "output_1_0": actions, "output_1_1": policy, "output_1_2": 1.0}
    wrapper = agent.coach.agent.networks["main"]
    weights = np.ones((BATCH, 1), np.float32)
    assert_equal_steps(
        agent,
        lambda: wrapper.train_and_sync_networks(inputs, [targets, found]),
        lambda: agent._step(frames, actions, policy, 1.0, targets, found, weights),
        lambda: agent._step(frames, actions, policy, 1.0, targets, 1.01 * found, weights),
    )


def test_continuous_ppo_equals_rl_coach(make_agent):
    agent = make_agent("clipped_ppo", metadata=CONTINUOUS)
    rng = np.random.default_rng(0)
    frames, actions = random_frames(rng), rng.normal(size=(BATCH, 2)).astype(np.float32)
    mean = rng.normal(size=(BATCH, 2)).astype(np.float32)
    deviation = rng.uniform(0.5, 1, (BATCH, 2)).astype(np.float32)
    targets, found = rng.normal(size=(BATCH, 1)).astype(np.float32), rng.normal(size=BATCH).astype(np.float32)
    inputs = {
        agent.metadata.camera: frames,
        "output_1_0": actions,
        "output_1_1": mean,
        "output_1_2": deviation,
        "output_1_3": 0.5,
    }
    wrapper = agent.coach.agent.networks["main"]
    weights = np.ones((BATCH, 1), np.float32)
    assert_equal_steps(
        agent,
        lambda: wrapper.train_and_sync_networks(inputs, [targets, found]),
        lambda: agent._step(frames, actions, mean, deviation, 0.5, targets, found, weights),
        lambda: agent._step(frames, actions, mean, deviation, 0.5, targets, 1.01 * found, weights),
    )


def coach_batch(name, frames, next_frames, actions, rewards, terminated):
    from rl_coach.core_types import Batch, Transition

    return Batch(
        [
            Transition(
                state={name: frames[i]},
                next_state={name: next_frames[i]},
                action=actions[i],
                reward=float(rewards[i]),
                game_over=bool(terminated[i]),
            )
            for i in range(len(frames))
        ]
    )


def transitions(rng, actions):
    return random_frames(rng), random_frames(rng), actions, rng.normal(size=BATCH), rng.random(BATCH) < 0.3


@pytest.mark.parametrize(
    "more",
    ["", "agent_params.network_wrappers['main'].clip_gradients = 0.1"],
    ids=["plain", "clipped gradients"],
)
def test_dqn_equals_rl_coach(make_agent, more):
    agent = make_agent("dqn", more=more)
    rng = np.random.default_rng(0)
    batch = transitions(rng, rng.integers(5, size=BATCH).astype(np.int32))
    theirs = coach_batch(agent.metadata.camera, *batch)
    changed = (*batch[:3], batch[3] + 0.01, batch[4])
    assert_equal_steps(
        agent,
        lambda: agent.coach.agent.learn_from_batch(theirs),
        lambda: agent._update(batch),
        lambda: agent._update(changed),
    )


class WithNoise:
    """A session that feeds the policy's noise to rl_coach's own calls, which would each draw their own."""

    def __init__(self, session, noise, value):
        self.session, self.feed = session, {noise: value}

    def run(self, fetches, feed_dict=None):
        return self.session.run(fetches, {**(feed_dict or {}), **self.feed})


def test_sac_is_close_to_rl_coach(make_agent):
    """rl_coach subtracts the gradients of two backward passes through the policy; ours is one pass of the difference.

    The sums are taken in another order, so the policy differs in the last bits; value and critic are equal in the first
    step. rl_coach also draws the policy's actions anew for every call: here all of its calls get the same noise.
    """
    from kuberacer.coach.sac import random_normal_source

    agent = make_agent("sac")
    rng = np.random.default_rng(0)
    batch = transitions(rng, rng.uniform(-1, 1, (BATCH, 2)).astype(np.float32))
    noise = rng.standard_normal((1, BATCH, 2), np.float32)
    theirs = coach_batch(agent.metadata.camera, *batch)
    network = agent.coach.network("policy")
    network.sess = WithNoise(network.sess, random_normal_source(network.outputs[2]), noise)
    variables = Variables(agent.coach)
    start = variables.read()
    for count, bound in ((1, 1e-5), (8, 1e-3)):
        wanted = after(variables, start, lambda: agent.coach.agent.learn_from_batch(theirs), count)
        found = after(variables, start, lambda: agent._update_with(batch, noise), count)
        for variable, a, b, before in zip(variables.variables, wanted, found, start, strict=True):
            if "/policy/" not in variable.name and count == 1:
                assert np.array_equal(a, b), variable.name
            moved = np.abs(a - before).max()
            assert np.abs(a - b).max() <= bound * moved, f"{variable.name} after {count} steps"
    other = after(variables, start, lambda: agent._update_with(batch, noise * 1.01), 1)
    assert largest_change(other, after(variables, start, lambda: agent._update_with(batch, noise), 1)) > 1e-6


def test_target_copies_equal_rl_coach(make_agent):
    agent = make_agent("sac")
    wrapper = agent.coach.agent.networks["v"]
    variables = Variables(agent.coach)
    start = variables.read()
    rng = np.random.default_rng(0)
    start = [
        value + rng.normal(size=value.shape).astype(value.dtype) if value.dtype == np.float32 else value
        for value in start
    ]
    rate = agent.coach.parameters.algorithm.rate_for_copying_weights_to_target
    wanted = after(variables, start, lambda: wrapper.update_target_network(rate), 1)
    found = after(variables, start, agent._copy, 1)
    assert largest_change(wanted, start) > 1e-3
    for variable, a, b in zip(variables.variables, wanted, found, strict=True):
        assert np.array_equal(a, b), variable.name
