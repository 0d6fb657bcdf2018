"""Weights of somebody else's checkpoint, and graphs of somebody else."""

import shutil

import numpy as np
import pytest

from kuberacer.coach.build import build_agent
from kuberacer.coach.compat.tensorflow_names import tf
from kuberacer.coach.graph_checks import check_graph
from kuberacer.coach.hyperparameters import Hyperparameters
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.coach.transfer import load_weights, stack_size
from kuberacer.coach.user_preset import Preset
from kuberacer.errors import UserError
from tests.unit.coach.presets import random_observation, small_preset

NAME = "3_Step-600.ckpt"


@pytest.fixture
def saved(make_agent, tmp_path):
    """make(algorithm) -> an agent that was saved, and the checkpoint's path without endings."""

    def make(algorithm="clipped_ppo", **given):
        agent = make_agent(algorithm, **given)
        agent.iteration, agent.total_steps = 3, 600
        agent.save(tmp_path)
        return agent, tmp_path / NAME

    return make


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An agent that was saved, and its folder."""
    metadata = ModelMetadata.default("clipped_ppo")
    hyper = Hyperparameters.parse(None, "clipped_ppo")
    agent = build_agent(
        metadata, hyper, cars=4, preset=Preset.load(small_preset("clipped_ppo")), threads=1, precision="fp32"
    )
    agent.iteration, agent.total_steps = 3, 600
    agent.save(folder := tmp_path_factory.mktemp("whole"))
    yield agent, folder
    agent.close()


@pytest.fixture
def copied(whole, tmp_path):
    """The agent, and its checkpoint's path in a folder that a test may spoil."""
    agent, folder = whole
    shutil.copytree(folder, tmp_path / "copy")
    return agent, tmp_path / "copy" / NAME


def rewritten(prefix, change):
    """The checkpoint's tensors {name: array}, changed and written again by TensorFlow itself."""
    reader = tf.train.load_checkpoint(str(prefix))
    values = {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    change(values)
    with tf.Graph().as_default(), tf.Session() as session:
        variables = {name: tf.Variable(value) for name, value in values.items()}
        session.run(tf.global_variables_initializer())
        tf.train.Saver(variables).save(session, str(prefix), write_meta_graph=False, write_state=False)


@pytest.mark.parametrize("algorithm", ["clipped_ppo", "sac", "dqn"])
def test_the_other_agent_computes_the_same(saved, make_agent, algorithm):
    agent, prefix = saved(algorithm)
    other = make_agent(algorithm, seed=2)
    observation = random_observation(agent, np.random.default_rng(0))
    assert load_weights(other, prefix).optimizer
    for before, after in zip(*(a.coach.session.run(a.coach.saved_variables) for a in (agent, other)), strict=True):
        np.testing.assert_array_equal(before, after)
    np.testing.assert_array_equal(agent.best_actions(observation), other.best_actions(observation))


def test_targets_that_were_left_out_equal_their_online_networks(saved, make_agent):
    _, prefix = saved("dqn")
    rewritten(prefix, lambda values: [values.pop(name) for name in list(values) if "/target/" in name])
    other = make_agent("dqn", seed=2)
    load_weights(other, prefix)
    values = {v.op.name: v for v in other.coach.saved_variables}
    targets = [name for name in values if "/target/" in name]
    assert targets
    for name in targets:
        pair = other.coach.session.run([values[name], values[name.replace("/target/", "/online/")]])
        np.testing.assert_array_equal(*pair)


def test_without_all_of_the_optimizer_it_begins_anew(copied, make_agent):
    agent, prefix = copied
    rewritten(prefix, lambda values: values.pop(next(name for name in values if name.endswith("/Adam"))))
    other = make_agent("clipped_ppo", seed=2)
    slot = next(v for v in other.coach.saved_variables if v.op.name.endswith("/Adam"))
    other.coach.session.run(slot.initializer)
    loaded = load_weights(other, prefix)
    assert not loaded.optimizer
    assert loaded.weights < len(agent.coach.saved_variables)
    assert not other.coach.session.run(slot).any()


def weight(values):
    return next(name for name in values if name.endswith("network_0/FRONT_FACING_CAMERA/Conv2d_0/kernel"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda values: values.pop(weight(values)), "is missing, this run's agent has"),
        (lambda values: values.update({weight(values): np.zeros((1 << 22,), np.float32)}), r"is \[4194304\], this"),
        (lambda values: values.update({weight(values): values[weight(values)].astype(np.float64)}), "is float64"),
        (lambda values: values.update({weight(values): values[weight(values)] * np.nan}), "no numbers"),
    ],
)
def test_a_strange_tensor_is_named(copied, change, said):
    agent, prefix = copied
    rewritten(prefix, change)
    with pytest.raises(UserError, match=said):
        load_weights(agent, prefix)


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flipped(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


@pytest.mark.parametrize("part", [".index", ".data-00000-of-00001"])
@pytest.mark.parametrize("spoil", [cut, flipped, lambda path: path.write_bytes(b""), lambda path: path.unlink()])
def test_a_damaged_file_is_named(copied, part, spoil):
    agent, prefix = copied
    spoil(prefix.with_name(prefix.name + part))
    with pytest.raises(UserError, match=r"3_Step-600\.ckpt.*(cannot be read|is missing)"):
        load_weights(agent, prefix)


def test_a_file_that_is_too_large_is_not_opened(copied):
    agent, prefix = copied
    with prefix.with_name(f"{NAME}.index").open("r+b") as file:
        file.truncate(5 << 20)
    with pytest.raises(UserError, match="larger than 4 MiB"):
        load_weights(agent, prefix)


def test_the_stack_is_that_of_the_first_layer(saved):
    agent, prefix = saved(preset=None, hyper='{"stack_size": 3}')
    assert stack_size(prefix, agent.metadata) == 3


@pytest.fixture
def frozen(whole, tmp_path):
    agent, _ = whole
    agent.export_frozen(tmp_path / "model_3.pb")
    graph = tf.GraphDef.FromString((tmp_path / "model_3.pb").read_bytes())

    def check():
        (tmp_path / "model_3.pb").write_bytes(graph.SerializeToString())
        check_graph(tmp_path / "model_3.pb", agent.metadata)

    return graph, check


def test_a_policy_is_taken(frozen):
    _, check = frozen
    check()


@pytest.mark.parametrize("operation", ["ReadFile", "PyFunc", "WriteFile", "While", "LoadLibrary", "RestoreV2"])
def test_an_operation_that_does_more_than_compute_is_named(frozen, operation):
    graph, check = frozen
    graph.node.add(name="more", op=operation)
    with pytest.raises(UserError, match=f"operations that no policy has: {operation}"):
        check()


def test_functions_of_its_own_are_refused(frozen):
    graph, check = frozen
    graph.library.function.add().signature.name = "f"
    with pytest.raises(UserError, match="functions of its own"):
        check()


def test_other_inputs_and_outputs_are_named(frozen):
    graph, check = frozen
    place = next(node for node in graph.node if node.op == "Placeholder")
    name, place.name = place.name, "other"
    with pytest.raises(UserError, match="has the inputs other, its metadata means"):
        check()
    place.name = name
    output = next(node for node in graph.node if node.name.endswith("ppo_head_0/policy"))
    output.name = "other"
    with pytest.raises(UserError, match="the graph has 0 nodes"):
        check()


@pytest.mark.parametrize("data", [b"", b"no graph", b"\x80\x04N.", b"\x0a\xff\xff\xff\xff\x07"])
def test_what_is_no_graph_is_refused(tmp_path, data):
    (tmp_path / "model_3.pb").write_bytes(data)
    with pytest.raises(UserError, match=r"no TensorFlow graph|has 0 nodes"):
        check_graph(tmp_path / "model_3.pb", ModelMetadata.default("clipped_ppo"))
