"""Presets' filters of observations: what rl_coach makes of one is what ours makes of many; what cannot go along is
named."""

import numpy as np
import pytest

import kuberacer.coach  # noqa: F401  before rl_coach
from kuberacer.coach import filters
from kuberacer.coach.environment_model import EnvironmentModel
from kuberacer.coach.environment_preset import EnvironmentPreset
from kuberacer.environments.loader import Environments
from kuberacer.errors import UserError
from kuberacer.preprocess import STEPS, Preprocess

FRAMES = np.random.default_rng(3).integers(0, 256, (11, 24, 32, 3), np.uint8)
GREY = FRAMES[..., 0].astype(np.float32)
CASES = [
    (filters.ObservationToFloatFilter(), FRAMES),
    (filters.ObservationRGBToYFilter(), FRAMES),
    (filters.ObservationRGBToYFilter(), FRAMES.astype(np.float32)),
    (filters.ObservationToUInt8Filter(-3.0, 300.5), GREY),
    (filters.ObservationCropFilter(np.array([4, 0, 1]), np.array([-1, 30, -1])), FRAMES),
    (filters.ObservationCropFilter(np.array([4, 2])), GREY),
    (filters.ObservationSqueezeFilter(), FRAMES[:, :1, :, :1]),
    (filters.ObservationSqueezeFilter(-1), FRAMES[:, :1, :, :1]),
    (filters.ObservationSqueezeFilter(0), FRAMES[:, :1, :, :1]),
    (filters.ObservationMoveAxisFilter(2, 0), FRAMES),
    (filters.ObservationMoveAxisFilter(0, -1), FRAMES),
    (filters.ObservationClippingFilter(10.5, 77.25), GREY),
    (filters.ObservationSobelFilter(), GREY),
    (filters.ObservationBinariseFilter(99.5), GREY),
    (filters.ObservationAddChannelFilter(), GREY),
]


@pytest.mark.parametrize(("given", "seen"), CASES, ids=lambda value: getattr(type(value), "__name__", ""))
def test_a_filter_of_one_observation_is_the_step_of_many_bit_for_bit(given, seen):
    step = filters._step("it", given)
    ours = Preprocess.parse([step])(seen)
    theirs = np.stack([np.asarray(given.filter(one)) for one in seen])
    assert ours.dtype == theirs.dtype
    assert np.array_equal(ours, theirs)


def test_every_step_is_some_filters():
    steps = {filters._step("it", given).partition("(")[0] for given, _ in CASES}
    assert steps == set(STEPS)


def test_sobel_finds_an_edge_where_it_is():
    frame = np.zeros((1, 9, 9), np.float32)
    frame[:, :, 5:] = 100.0
    steep = Preprocess.parse(["sobel"])(frame)[0]
    assert np.allclose(steep[:, 4:6], 400.0)  # 1 + 2 + 1 times the step
    assert not steep[:, :4].any()
    assert not steep[:, 6:].any()
    assert np.allclose(Preprocess.parse(["sobel"])(frame.transpose(0, 2, 1))[0], steep.T)


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("blur", "'blur' is not known"),
        ("crop(1, 2, 3)", "has 3 numbers"),
        ("binarise", "has 0 numbers"),
        ("clip(a, b)", "no number"),
        ("sobel; import os", "is not known"),
    ],
)
def test_a_step_that_is_none_is_named(step, said):
    with pytest.raises(UserError, match=said):
        Preprocess.parse([step])


def test_steps_that_do_not_fit_the_observations_are_named():
    with pytest.raises(UserError, match=r"sobel does not take observations of \(3,\)"):
        Preprocess.parse(["sobel"])(np.zeros((2, 3), np.float32))


DONKEY = """
import numpy as np
from rl_coach.agents.soft_actor_critic_agent import SoftActorCriticAgentParameters
from rl_coach.architectures.layers import Conv2d, Dense
from rl_coach.core_types import EnvironmentSteps, TrainingSteps
from rl_coach.environments.gym_environment import GymVectorEnvironment
from rl_coach.filters.filter import InputFilter
from rl_coach.filters.observation.observation_normalization_filter import ObservationNormalizationFilter
from rl_coach.filters.observation.observation_rescale_to_size_filter import ObservationRescaleToSizeFilter
from rl_coach.filters.observation.observation_rgb_to_y_filter import ObservationRGBToYFilter
from rl_coach.filters.observation.observation_stacking_filter import ObservationStackingFilter
from rl_coach.graph_managers.basic_rl_graph_manager import BasicRLGraphManager
from rl_coach.graph_managers.graph_manager import SimpleSchedule
from kuberacer.coach.filters import *

RANGES = {{"throttle": (0.0, 1.0), "updates": (1, 9)}}


def get_graph_manager(throttle=0.5, updates=2):
    agent = SoftActorCriticAgentParameters()
    for network in agent.network_wrappers.values():
        network.batch_size = 16
        network.input_embedders_parameters["observation"].scheme = [Conv2d(4, 8, 8)]
    agent.network_wrappers["q"].heads_parameters[0].network_layers_sizes = (8, 8)
    agent.algorithm.num_consecutive_training_steps = updates
    agent.algorithm.act_for_full_episodes = True
    agent.input_filter = InputFilter()
    add = lambda given: agent.input_filter.add_observation_filter("observation", str(len(
        agent.input_filter.observation_filters.get("observation", {{}}))), given)
    {more}
    environment = GymVectorEnvironment(level="donkey_car")
    environment.additional_simulator_parameters = {{"throttle": throttle}}
    return BasicRLGraphManager(agent_params=agent, env_params=environment, schedule_params=SimpleSchedule())
"""
BINARY = (
    "[add(each) for each in (ObservationRGBToYFilter(), ObservationBinariseFilter(99), ObservationAddChannelFilter())]"
)


def preset(more: str = BINARY, settings=None) -> EnvironmentPreset:
    return EnvironmentPreset.load(DONKEY.format(more=more), settings or {})


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("add(ObservationStackingFilter(3))", "ObservationStackingFilter"),
        ("add(ObservationNormalizationFilter())", "brought to -1..1 by their bounds"),
        ("agent.pre_network_filter = agent.input_filter; add(ObservationNormalizationFilter())", "pre_network_filter"),
        ("agent.input_filter.add_observation_filter('camera', 'y', ObservationRGBToYFilter())", "'camera'"),
    ],
)
def test_a_filter_that_cannot_be_published_is_named(more, said):
    with pytest.raises(UserError, match=said):
        assert preset(more).preprocess


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("add(ObservationToFloatFilter())", r"float32 of \(120, 160, 3\)"),
        ("add(ObservationRGBToYFilter()); add(ObservationBinariseFilter(1))", r"uint8 of \(120, 160\)"),
        ("add(ObservationRGBToYFilter()); add(ObservationRGBToYFilter())", "rgb_to_y does not take observations"),
    ],
)
def test_filters_whose_results_no_network_takes_are_refused(more, said):
    found = preset(more)
    with pytest.raises(UserError, match=said):
        Environments("donkey_car").model("sac", found.preprocess)


def test_a_presets_own_hyperparameters_have_ranges_and_reach_its_environment():
    found = preset(settings={"throttle": "0.25"})
    assert found.parameters == {"throttle": 0.25}
    assert found.settings == {"throttle": 0.25, "updates": 2}
    for settings, said in (
        ({"throttle": 2}, "throttle is 2; the preset takes a number from 0 to 1"),
        ({"updates": 1.5}, "updates is 1.5; the preset takes a whole number"),
        ({"thruttle": 1}, "thruttle"),
    ):
        with pytest.raises(UserError, match=said):
            preset(settings=settings)
    with pytest.raises(UserError, match="takes speed = 3 without a range"):
        EnvironmentPreset.load(DONKEY.format(more="").replace("throttle=0.5", "throttle=0.5, speed=3"), {})


def test_code_as_a_parameter_of_the_environment_is_refused():
    source = DONKEY.format(more=BINARY).replace('{"throttle": throttle}', '{"reward_fn": print}')
    with pytest.raises(UserError, match="reward_fn, a builtin_function"):
        assert EnvironmentPreset.load(source, {}).parameters


def test_the_network_sees_what_the_filters_make_and_learns_after_whole_episodes():
    found = preset()
    environments = Environments(found.level, "", found.parameters)
    model = environments.model(found.algorithm, found.preprocess)
    again = EnvironmentModel.parse(model.to_json())
    assert again == model
    agent = found.build_agent(model, 3, 0, 1)
    try:
        assert agent.inputs[0].shape == model.seen[0] == (120, 160, 1)
        raw = np.random.default_rng(0).integers(0, 256, (3, 120, 160, 3), np.uint8)
        seen = model.normalised(raw)
        never, rewards = np.zeros(3, bool), np.ones(3)
        for step in range(4):
            assert not agent.iteration_complete()
            agent.act(seen)
            agent.observe(rewards, np.array([False, step == 3, step == 3]), never)
        assert agent.iteration_complete()
        assert agent.learn(seen)["updates"] == 4  # two for each of the two episodes
        agent.act(seen)
        agent.observe(rewards, never, never)
        assert not agent.iteration_complete()
    finally:
        agent.close()
