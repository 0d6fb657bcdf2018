"""Our gradient steps against rl_coach's own code on the same batch: weights, optimizer state and all, bit for bit."""

from dataclasses import replace

import numpy as np
import pytest

from kuberacer.coach.compat.tensorflow_names import tf
from kuberacer.coach.normals import normals_of
from kuberacer.coach.replay import Batch
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


def coach_batch(name, batch):
    """Ours as rl_coach's: what follows is n steps later, and should_bootstrap says whether its value counts."""
    from rl_coach.core_types import Batch as CoachBatch
    from rl_coach.core_types import Transition

    made = []
    for i in range(BATCH):
        transition = Transition(
            state={name: batch.seen[i]},
            next_state={name: batch.following[i]},
            action=batch.actions[i],
            reward=float(batch.rewards[i]),
            game_over=bool(batch.bootstrap[i] == 0),
        )
        transition.n_step_discounted_rewards = float(batch.rewards[i])
        transition.info["should_bootstrap_next_state"] = bool(batch.bootstrap[i] != 0)
        made.append(transition)
    return CoachBatch(made)


def transitions(rng, agent, scale=1.0):
    """Rewards around 0, by `scale`; three in ten end their episode."""
    discount = agent.coach.parameters.algorithm.discount ** max(1, agent.coach.parameters.algorithm.n_step)
    actions = (
        rng.uniform(-1, 1, (BATCH, 2)).astype(np.float32)
        if agent.metadata.continuous
        else rng.integers(5, size=BATCH).astype(np.int32)
    )
    return Batch(
        random_frames(rng), random_frames(rng), actions, scale * rng.normal(size=BATCH),
        np.where(rng.random(BATCH) < 0.3, 0.0, discount), np.ones(BATCH, np.float32), np.arange(BATCH),
    )  # fmt: skip


class Fed:
    """A session whose calls all get the same value of some tensors, which would draw their own each time."""

    def __init__(self, session, feed):
        self.session, self.feed = session, feed

    def run(self, fetches, feed_dict=None):
        return self.session.run(fetches, {**(feed_dict or {}), **self.feed})


CLIPPED = "agent_params.network_wrappers['main'].clip_gradients = 0.1"
PLAIN_REPLAY = (
    "from rl_coach.memories.non_episodic.experience_replay import ExperienceReplayParameters\n"
    "agent_params.memory = ExperienceReplayParameters()"
)
DUELING = (
    "from rl_coach.architectures.head_parameters import DuelingQHeadParameters\n"
    "agent_params.network_wrappers['main'].heads_parameters = [DuelingQHeadParameters()]"
)
MSE = "agent_params.network_wrappers['main'].replace_mse_with_huber_loss = False"


@pytest.mark.parametrize(
    ("algorithm", "more"),
    [
        ("dqn", ""),
        ("dqn", CLIPPED),
        ("dqn", MSE),
        ("dqn", DUELING),
        ("ddqn", ""),
        ("categorical_dqn", ""),
        ("qr_dqn", ""),
        ("rainbow", PLAIN_REPLAY),
    ],
    ids=["dqn", "clipped gradients", "mse", "duelling", "ddqn", "c51", "qr-dqn", "rainbow"],
)
def test_agents_with_values_equal_rl_coach(make_agent, algorithm, more):
    """Of Rainbow, rl_coach's calls draw the noise of the layers anew each: here all get the same. Rewards are small:
    where a return lies beyond the distribution's ends, ours keeps the probability and rl_coach's loses it."""
    agent = make_agent(algorithm, more=more)
    rng = np.random.default_rng(0)
    batch = transitions(rng, agent, 0.05)
    noise = {tensor: rng.standard_normal(tensor.shape.as_list(), np.float32) for tensor in agent._noise}
    target_noise = dict(zip(agent._target_noise, noise.values(), strict=True))
    wrapper = agent.coach.agent.networks["main"]
    wrapper.sess = Fed(wrapper.sess, {**noise, **target_noise})
    for network in (wrapper.online_network, wrapper.target_network):
        network.sess = Fed(network.sess, {**noise, **target_noise})
    agent.rng = Repeating(noise.values())
    theirs = coach_batch(agent.metadata.camera, batch)
    if algorithm == "qr_dqn":
        spread_quantiles(agent)
    assert_equal_steps(
        agent,
        lambda: agent.coach.agent.learn_from_batch(theirs),
        lambda: agent._update(batch),
        lambda: agent._update(replace(batch, rewards=batch.rewards + 0.01)),
    )


def spread_quantiles(agent):
    """Apart from one another: rl_coach sorts what one call says of them and learns in another, whose last bits are
    others on some processors, and a fresh network's quantiles lie that close together."""
    variables = Variables(agent.coach)
    values = variables.read()
    shape = tuple(agent._head.output.shape.as_list()[1:])
    for place, variable in enumerate(variables.variables):
        if "quantile_regression" in variable.name and variable.name.endswith("bias:0"):
            values[place] = np.tile(np.linspace(-1, 1, shape[1], dtype=np.float32), shape[0])
    variables.write(values)


class Repeating:
    """A generator that draws the same values again and again."""

    def __init__(self, values):
        self.values = list(values)

    def standard_normal(self, shape, kind):
        value = self.values.pop(0)
        assert list(value.shape) == list(shape)
        self.values.append(value)
        return value


@pytest.mark.parametrize("algorithm", ["td3", "ddpg"])
def test_agents_with_an_actor_equal_rl_coach(make_agent, algorithm, monkeypatch):
    agent = make_agent(algorithm)
    rng = np.random.default_rng(0)
    batch = transitions(rng, agent)
    noise = rng.normal(0, 0.2, (BATCH, 2))
    monkeypatch.setattr(np.random, "normal", lambda mean, deviation, shape: noise)
    clipped = noise.clip(-0.5, 0.5) if algorithm == "td3" else np.zeros((BATCH, 2))
    theirs = coach_batch(agent.metadata.camera, batch)
    actor = agent.coach.network("actor").weights[0]
    for updates in (0, 1):
        agent.updates = agent.coach.agent.training_iteration = updates
        assert_equal_steps(
            agent,
            lambda: agent.coach.agent.learn_from_batch(theirs),
            lambda: agent._update_with(batch, clipped),
            lambda: agent._update_with(replace(batch, rewards=batch.rewards + 0.01), clipped),
        )
    before = agent.coach.session.run(actor)
    agent._update_with(batch, clipped)
    moved = not np.array_equal(agent.coach.session.run(actor), before)
    assert moved == (algorithm == "ddpg")  # TD3's actor learns at every other step


def test_sac_is_close_to_rl_coach(make_agent):
    """rl_coach subtracts the gradients of two backward passes through the policy; ours is one pass of the difference.

    The sums are taken in another order, so the policy differs in the last bits; value and critic are equal in the first
    step. rl_coach also draws the policy's actions anew for every call: here all of its calls get the same noise.
    """
    agent = make_agent("sac")
    rng = np.random.default_rng(0)
    batch = transitions(rng, agent)
    noise = rng.standard_normal((1, BATCH, 2), np.float32)
    theirs = coach_batch(agent.metadata.camera, batch)
    network = agent.coach.network("policy")
    network.sess = Fed(network.sess, {normals_of(network.outputs[2])[0]: noise})
    variables = Variables(agent.coach)
    start = variables.read()
    for count, bound in ((1, 1e-5), (8, 1e-3)):
        wanted = after(variables, start, lambda: agent.coach.agent.learn_from_batch(theirs), count)
        found = after(variables, start, lambda: agent._update_with(batch, noise), count)
        for variable, a, b, before in zip(variables.variables, wanted, found, start, strict=True):
            if "/policy/" not in variable.name and count == 1:
                assert np.array_equal(a, b), variable.name
            moved = np.abs(a - before).max()
            last_bits = 2 * np.spacing(np.abs(b).max())  # of the largest weight: where sums are taken in another order
            assert np.abs(a - b).max() <= bound * moved + last_bits, f"{variable.name} after {count} steps"
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
