import json

import pytest

from kuberacer.coach import checkpoint_files
from kuberacer.errors import UserError


@pytest.fixture
def saved(make_agent, tmp_path):
    agent = make_agent("clipped_ppo")
    agent.iteration, agent.total_steps = 3, 600
    agent.save(tmp_path)
    return agent, tmp_path


def test_the_files_are_deepracers(saved):
    _, folder = saved
    assert {path.name for path in folder.iterdir()} == {
        ".coach_checkpoint",
        "3_Step-600.ckpt.data-00000-of-00001",
        "3_Step-600.ckpt.index",
        "3_Step-600.ckpt.meta",
        "kuberacer_state.json",
    }
    assert (folder / ".coach_checkpoint").read_text() == "3_Step-600.ckpt"


def test_rl_coachs_own_saver_reads_it(saved):
    agent, folder = saved
    with agent.coach.graph.as_default():
        (saver,) = agent.coach.agent.collect_savers("main_level")
    tensors = dict(saver._read_tensors(str(folder / "3_Step-600.ckpt")))
    assert {variable.op.name for variable in saver._variables} <= tensors.keys()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / ".coach_checkpoint").unlink(), ".coach_checkpoint is missing"),
        (lambda folder: (folder / ".coach_checkpoint").write_text("../x"), "holds '../x'"),
        (lambda folder: (folder / "3_Step-600.ckpt.index").unlink(), "3_Step-600.ckpt.index is missing"),
        (lambda folder: (folder / "kuberacer_state.json").unlink(), "kuberacer_state.json is missing"),
        (
            lambda folder: (folder / "kuberacer_state.json").write_text("{"),
            "kuberacer_state.json is missing or damaged",
        ),
        (
            lambda folder: (folder / "kuberacer_state.json").write_text(json.dumps({"checkpoint": "2_Step-1.ckpt"})),
            "belongs to 2_Step-1.ckpt",
        ),
    ],
)
def test_a_spoilt_folder_is_named(saved, spoil, said):
    agent, folder = saved
    spoil(folder)
    with pytest.raises(UserError) as caught:
        agent.restore(folder)
    assert said in str(caught.value)


def test_another_network_is_named(saved, make_agent):
    _, folder = saved
    other = make_agent("clipped_ppo", more="embedder.scheme = [Conv2d(4, 16, 16), Dense(9)]")
    with pytest.raises(UserError, match=r"network_0/FRONT_FACING_CAMERA/Dense_\d/kernel is"):
        other.restore(folder)


def test_an_older_checkpoint_may_lie_beside_it(saved):
    agent, folder = saved
    agent.iteration = 4
    agent.save(folder)
    assert checkpoint_files.newest(folder).name == "4_Step-600.ckpt"
    agent.restore(folder)
    assert agent.iteration == 4
