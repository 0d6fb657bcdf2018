"""Where TensorFlow computes, and memory that ends, in words."""

import os

import numpy as np
import pytest

from kuberacer.coach import device
from kuberacer.coach.compat.tensorflow_names import tf
from kuberacer.errors import UserError

GPUS = tf.config.list_physical_devices("GPU")


@pytest.mark.skipif(bool(GPUS), reason="this machine has a GPU")
def test_a_gpu_that_was_asked_for_and_is_not_there_is_said(monkeypatch):
    cores = f"{len(os.sched_getaffinity(0))} cores"
    assert device.device().startswith(cores)
    monkeypatch.setenv(device.ASKED, "1")
    said = device.device()
    assert said.startswith(f"{cores} (")
    assert "GPU" in said
    assert said.endswith("?)")


@pytest.mark.skipif(not GPUS, reason="this machine has no GPU that TensorFlow can use")
def test_a_gpu_is_named():
    assert "cores" not in device.device()


def too_large_for_tensorflow():
    with tf.Session(graph=tf.Graph()) as session:
        size = tf.placeholder(tf.int64, [])
        session.run(tf.reduce_sum(tf.random.uniform([size])), {size: 2**46})


def too_large_for_numpy():
    np.zeros(2**46).sum()


@pytest.mark.parametrize("exhausted", [too_large_for_tensorflow, too_large_for_numpy])
def test_exhausted_memory_says_what_to_lower(exhausted):
    with pytest.raises(UserError, match=r"training ran out of memory: .+") as caught, device.memory_in_words(64, 32):
        exhausted()
    assert "batch_size (now 64)" in caught.value.remedy
    assert "CARS (now 32)" in caught.value.remedy
