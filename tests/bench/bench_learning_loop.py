"""Playing and learning (ClippedPPO, DeepRacer's shallow network in two towers) against rl_coach's own loop.

All in one run on the same stand-in environment (stripe.py): rl_coach's loop as it is, ours with the same
hyperparameters in fp32, ours with the defaults, and the same network's gradient steps in TensorFlow alone. All four
with oneDNN's convolutions, unless TF_ENABLE_ONEDNN_OPTS says otherwise.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np

from kuberacer.coach import coach_graph, deepracer_preset
from kuberacer.coach.agent import Agent
from kuberacer.coach.build import build_agent
from kuberacer.coach.compat import gym_names
from kuberacer.coach.compat.tensorflow_names import tf
from kuberacer.coach.hyperparameters import Hyperparameters
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.coach.session import session_config
from kuberacer.coach.spaces_env import DEEPRACER_NAME
from tests.bench.stripe import ACTIONS, OneStripe, Stripe

CARS = 32
SAME = {"batch_size": 64, "num_epochs": 4, "rollout_steps": 2048, "precision": "fp32"}
COACH_STEPS = 1024  # rl_coach's loop is slow; its rate does not depend on the number
NO_SENSOR_KEY = json.dumps({"action_space": [{"steering_angle": a, "speed": 1} for a in range(ACTIONS)]})


def figures() -> dict[str, float]:
    """Rates in steps or samples a second of wall-clock time, and their ratios."""
    coach, same, default, tensorflow = (in_a_process(part) for part in PARTS)
    found = {
        "learn_vs_coach_loop_same": same["steps_per_s"] / coach["steps_per_s"],
        "learn_vs_coach_loop_default": default["steps_per_s"] / coach["steps_per_s"],
        "learner_vs_tensorflow": same["trained_samples_per_s"] / tensorflow["trained_samples_per_s"],
    }
    for name, rates in (("coach", coach), ("same", same), ("default", default), ("tensorflow", tensorflow)):
        found |= {f"learn_{name}_{key}": value for key, value in rates.items()}
    return found


def in_a_process(part: str) -> dict[str, float]:
    """The rates of one part. TensorFlow has one thread pool a process, as large as its first session asked for."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.bench.bench_learning_loop", part]
    text = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    return json.loads(text.splitlines()[-1])


def rates(steps: int, epochs: int, play_s: float, learn_s: float) -> dict[str, float]:
    return {
        "steps_per_s": steps / (play_s + learn_s),
        "play_steps_per_s": steps / play_s,
        "trained_samples_per_s": steps * epochs / learn_s,
    }


def our_loop(hyper: dict, iterations: int) -> dict[str, float]:
    """The agent's loop with 32 cars; one iteration before the clock starts."""
    parsed = Hyperparameters.parse(json.dumps(hyper), "clipped_ppo")
    agent = build_agent(ModelMetadata.parse(None), parsed, cars=CARS, seed=1)
    stripe = Stripe(CARS)
    iterate(agent, stripe)
    play_s = learn_s = 0.0
    for _ in range(iterations):
        played, learned = iterate(agent, stripe)
        play_s, learn_s = play_s + played, learn_s + learned
    agent.close()
    return rates(iterations * parsed["rollout_steps"], parsed["num_epochs"], play_s, learn_s)


def iterate(agent: Agent, stripe: Stripe) -> tuple[float, float]:
    """Seconds of playing and of learning of one iteration."""
    start = time.perf_counter()
    frames = stripe.frames()
    never = np.zeros(CARS, bool)
    while not agent.iteration_complete():
        rewards, ended = stripe.step(agent.act(frames))
        agent.observe(rewards, ended, never)
        frames = stripe.frames()
    middle = time.perf_counter()
    agent.learn(frames)
    return middle - start, time.perf_counter() - middle


def coach_loop() -> dict[str, float]:
    """rl_coach's graph manager, agent, memory and environment loop, with its own session."""
    from rl_coach.base_parameters import TaskParameters
    from rl_coach.core_types import EnvironmentSteps, RunPhase

    hyper = Hyperparameters.parse(json.dumps({**SAME, "rollout_steps": 128}), "clipped_ppo")
    metadata = ModelMetadata.parse(NO_SENSOR_KEY)
    manager = deepracer_preset.graph_manager(metadata, hyper)
    manager.env_params.level = DEEPRACER_NAME
    gym_names.OWN_ENVIRONMENTS[DEEPRACER_NAME] = OneStripe
    coach_graph.GeneralTensorFlowNetwork.variable_scopes_dict.clear()
    with (
        tf.Graph().as_default(),
        tempfile.TemporaryDirectory() as folder,
        open(os.devnull, "w") as nowhere,
        contextlib.redirect_stdout(nowhere),
    ):
        manager.create_graph(TaskParameters(experiment_path=folder, seed=1))
        manager.phase = RunPhase.TRAIN
        manager.reset_internal_state(True)
        manager.act(EnvironmentSteps(128), wait_for_full_episodes=True)
        manager.train()
        manager.agent_params.algorithm.num_consecutive_playing_steps = EnvironmentSteps(COACH_STEPS)
        start = time.perf_counter()
        manager.act(EnvironmentSteps(COACH_STEPS), wait_for_full_episodes=True)
        middle = time.perf_counter()
        manager.train()
        end = time.perf_counter()
        manager.sess.close()
    return rates(COACH_STEPS, hyper["num_epochs"], middle - start, end - middle)


def tower(frames, outputs: int, name: str):
    with tf.variable_scope(name):
        y = tf.cast(frames, tf.float32) / 255
        shape = [1]
        for i, (filters, size, stride) in enumerate(((32, 8, 4), (64, 4, 2), (64, 3, 1))):
            kernel = tf.get_variable(f"kernel{i}", [size, size, *shape, filters])
            bias = tf.get_variable(f"bias{i}", [filters], initializer=tf.zeros_initializer())
            y = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(y, kernel, stride, "VALID"), bias))
            shape = [filters]
        y = tf.reshape(y, [-1, np.prod(y.shape.as_list()[1:])])
        for i, units in enumerate((512, outputs)):
            kernel = tf.get_variable(f"dense{i}", [int(y.shape[-1]), units])
            y = tf.matmul(y, kernel) + tf.get_variable(f"offset{i}", [units], initializer=tf.zeros_initializer())
            y = tf.nn.relu(y) if i == 0 else y
        return y


def tensorflow_samples(batch: int, steps: int = 150) -> dict[str, float]:
    """Samples a second of gradient steps on one batch: the same two towers, PPO's losses and Adam, nothing else."""
    rng = np.random.default_rng(0)
    given = {
        "frames": rng.integers(0, 256, (batch, 120, 160, 1), dtype=np.uint8),
        "actions": rng.integers(ACTIONS, size=batch).astype(np.int32),
        "old": np.full(batch, 1 / ACTIONS, np.float32),
        "advantages": rng.standard_normal(batch).astype(np.float32),
        "targets": rng.standard_normal(batch).astype(np.float32),
    }
    with tf.Graph().as_default(), tf.Session(config=session_config(len(os.sched_getaffinity(0)))) as session:
        fed = {name: tf.placeholder(value.dtype, [None, *value.shape[1:]]) for name, value in given.items()}
        policy = tf.nn.softmax(tower(fed["frames"], ACTIONS, "policy"))
        value = tower(fed["frames"], 1, "value")[:, 0]
        ratio = tf.reduce_sum(policy * tf.one_hot(fed["actions"], ACTIONS), axis=1) / fed["old"]
        clipped = tf.clip_by_value(ratio, 0.8, 1.2)
        surrogate = tf.reduce_mean(tf.minimum(ratio * fed["advantages"], clipped * fed["advantages"]))
        entropy = -tf.reduce_mean(tf.reduce_sum(policy * tf.log(policy), axis=1))
        loss = tf.reduce_mean(tf.square(value - fed["targets"])) - surrogate - 0.01 * entropy
        step = session.make_callable([loss, tf.train.AdamOptimizer(3e-4).minimize(loss)], list(fed.values()))
        session.run(tf.global_variables_initializer())
        for _ in range(3):
            step(*given.values())
        start = time.perf_counter()
        for _ in range(steps):
            step(*given.values())
        return {"trained_samples_per_s": steps * batch / (time.perf_counter() - start)}


PARTS: dict[str, Callable[[], dict[str, float]]] = {
    "coach": coach_loop,
    "same": lambda: our_loop(SAME, iterations=1),
    "default": lambda: our_loop({}, iterations=2),
    "tensorflow": lambda: tensorflow_samples(SAME["batch_size"]),
}


if __name__ == "__main__":
    print(json.dumps(PARTS[sys.argv[1]]()))
