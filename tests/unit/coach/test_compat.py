import os
import subprocess
import sys

import numpy as np
import pytest

import kuberacer.coach  # noqa: F401  installs the hook
from kuberacer.coach.compat import gym_names
from kuberacer.coach.compat.hook import load_source
from kuberacer.coach.compat.logger_table import Table
from kuberacer.coach.compat.tensorflow_names import tf, without_noise


def in_new_process(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)


def test_only_rl_coach_sees_the_old_names():
    code = """
import kuberacer.coach.build
import sys, pytest
import collections, tensorflow
assert not hasattr(collections, "Iterable")
assert not hasattr(tensorflow, "placeholder")
with pytest.raises(ImportError): import gym
with pytest.raises(ImportError): import distutils.dir_util, distutils.nothing
assert "pandas" not in sys.modules and "keras" not in sys.modules and "matplotlib" not in sys.modules
assert "scipy.signal" not in sys.modules
"""
    if sys.version_info < (3, 12):
        code = code.replace("with pytest.raises(ImportError): import distutils.dir_util, distutils.nothing\n", "")
    done = in_new_process(code)
    assert (done.stdout, done.stderr) == ("", "")


def test_building_an_agent_is_quiet():
    code = """
from kuberacer.coach.build import build_agent
from kuberacer.coach.hyperparameters import Hyperparameters
from kuberacer.coach.metadata import ModelMetadata
build_agent(ModelMetadata.parse(None, "dqn"), Hyperparameters.parse(None, "dqn"), cars=1)
"""
    done = in_new_process(code)
    assert (done.stdout, done.stderr) == ("", "")


def test_rl_coach_imported_first_is_an_error_that_says_what_to_do():
    code = "import sys, types; sys.modules['rl_coach'] = types.ModuleType('rl_coach'); import kuberacer.coach"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "import kuberacer.coach before rl_coach" in done.stderr


def test_a_source_sees_the_old_names():
    module = load_source(
        "import tensorflow as tf, gym, collections\n"
        "from collections import Mapping\n"
        "from distutils.dir_util import copy_tree\n"
        "from scipy.stats import truncnorm\n"
        "from skimage.transform import resize\n"
        "import scipy.ndimage\n"
        "made = gym.make('CartPole-v1')\n"
        "ordered = collections.OrderedDict()\n",
        "a_source",
        "a_source.py",
    )
    assert module.tf.placeholder is not None
    assert module.truncnorm.mean(-1, 1) == 0
    assert module.resize(np.ones((4, 4)), (2, 2)).shape == (2, 2)
    assert module.scipy.ndimage.zoom is not None
    module.made.seed(3)
    observation = module.made.reset()
    module.made.seed(3)
    np.testing.assert_array_equal(module.made.reset(), observation)
    assert len(module.made.step(0)) == 4


def test_s3_store_of_rl_coach_says_that_it_is_not_used():
    module = load_source("from minio import Minio\nfrom minio.error import ResponseError", "a_source", "a_source.py")
    with pytest.raises(NotImplementedError, match="KubeRacer"):
        module.Minio("localhost")


def test_old_gym_calls_join_termination_and_truncation():
    import gymnasium

    class Ends(gymnasium.Env):
        observation_space = action_space = gymnasium.spaces.Discrete(2)

        def reset(self, *, seed=None, options=None):
            return 0, {}

        def step(self, action):
            return 1, 2, action == 0, action == 1, {}

    env = gym_names.OldCalls(Ends())
    assert env.step(0) == (1, 2.0, True, {"TimeLimit.truncated": False})
    assert env.step(1) == (1, 2.0, True, {"TimeLimit.truncated": True})


def test_table_is_written_as_a_dataframe_would_be(tmp_path):
    table = Table()
    table.loc[1, "a"] = ""
    table.loc[1, "b"] = 2.5
    table.loc[2, "a"] = 7
    table.index.name = "Episode"
    table.to_csv(tmp_path / "t.csv")
    table.loc[3, "b"] = "x"
    table[2:].to_csv(tmp_path / "t.csv", mode="a", header=False)
    assert (tmp_path / "t.csv").read_text() == "Episode,a,b\n1,,2.5\n2,7,\n3,,x\n"
    assert len(table.index) == 3
    assert table.loc[2, "a"] == 7


def layer(make, shape, **values):
    """What a layer of the shim gives for ones of `shape`, with variables set to `values`."""
    with tf.Graph().as_default(), tf.Session() as session:
        given = tf.placeholder(tf.float32, [None, *shape[1:]])
        made = make(given)
        session.run(tf.global_variables_initializer())
        for variable in tf.global_variables():
            name = variable.op.name.rpartition("/")[2]
            if name in values:
                session.run(variable.assign(np.broadcast_to(values[name], variable.shape.as_list())))
        names = sorted(variable.op.name for variable in tf.global_variables())
        return session.run(made, {given: np.ones(shape, np.float32)}), names


def test_layers_have_tensorflow_1s_variables_and_arithmetic():
    from kuberacer.coach.compat import tensorflow_layers as layers

    y, names = layer(lambda x: layers.dense(x, np.array([3]), name="d"), (2, 4), kernel=0.5, bias=1)
    np.testing.assert_allclose(y, np.full((2, 3), 3.0))
    assert names == ["d/bias", "d/kernel"]
    y, names = layer(lambda x: layers.conv2d(x, 2, 3, 2, name="c"), (1, 7, 5, 1), kernel=1, bias=-1)
    np.testing.assert_allclose(y, np.full((1, 3, 2, 2), 8.0))
    assert names == ["c/bias", "c/kernel"]
    y, names = layer(
        lambda x: layers.batch_normalization(x, name="n"), (2, 3), moving_mean=3, moving_variance=4, gamma=2
    )
    np.testing.assert_allclose(y, np.full((2, 3), -2.0), rtol=1e-3)
    assert names == ["n/beta", "n/gamma", "n/moving_mean", "n/moving_variance"]
    y, _ = layer(lambda x: layers.dropout(x, 0.5, training=True), (2, 500))
    assert set(y.ravel()) == {0, 2}


def test_multivariate_normal_is_right():
    from scipy import stats

    from kuberacer.coach.compat.tensorflow_distributions import MultivariateNormalDiag

    mean, deviation, at = np.array([[0.5, -1]]), np.array([[0.7, 2]]), np.array([[0.1, 0.2]])
    with tf.Graph().as_default(), tf.Session() as session:
        one, two = MultivariateNormalDiag(mean, deviation), MultivariateNormalDiag(mean + 1, deviation * 2)
        found = session.run(
            [one.log_prob(at), one.entropy(), tf.distributions.kl_divergence(one, two), one.prob(at), one.sample(1000)]
        )
    exact = stats.multivariate_normal(mean[0], np.diag(deviation[0] ** 2))
    divergence = (np.log(2) + (deviation**2 + 1) / (2 * (2 * deviation) ** 2) - 0.5).sum()
    for value, wanted in zip(found, (exact.logpdf(at), exact.entropy(), divergence, exact.pdf(at)), strict=False):
        assert float(value[0]) == pytest.approx(float(wanted))
    np.testing.assert_allclose(found[-1].std(axis=0)[0], deviation[0], rtol=0.1)


def test_what_tensorflow_says_though_nothing_is_wrong_is_dropped_and_the_rest_is_not(capfd):
    with without_noise():
        os.write(2, b"E0000 util.cc:131] oneDNN supports DT_INT32 only on platforms with AVX-512. Falling back\n")
        os.write(2, b"E0000 a fault\n")
    assert capfd.readouterr().err == "E0000 a fault\n"


@pytest.mark.parametrize("module", ["stages.evaluate", "stages.freeze_graph", "coach.calls"])
def test_tensorflow_is_loaded_in_silence_whichever_module_is_the_first(module):
    code = f"import kuberacer.{module}, sys; assert 'keras' not in sys.modules and 'tensorflow' in sys.modules"
    done = in_new_process(code)
    assert (done.stdout, done.stderr) == ("", "")
