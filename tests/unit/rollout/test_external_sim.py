"""What an external simulator tells, as a rollout sees it; and what it must not tell."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuberacer.coach.metadata import ModelMetadata
from kuberacer.errors import UserError
from kuberacer.rollout import deepracer_sim, external_sim
from kuberacer.rollout.deepracer_client import Deadlines, agent_config, checked
from kuberacer.rollout.deepracer_sim import check_workers, connect, given_simulators, simulator_of
from kuberacer.rollout.frame_stack import Observations
from kuberacer.sim.episode import EpisodeStatus
from kuberacer.sim.params import ParamArrays
from kuberacer.sim.track import load_track

DISCRETE, CONTINUOUS = ModelMetadata.default("clipped_ppo"), ModelMetadata.default("sac")


def test_every_discrete_action_comes_back_as_its_number() -> None:
    count = len(DISCRETE.action_space)
    steering, speed = DISCRETE.decode(np.arange(count))
    numbers = [external_sim.native_action(DISCRETE, *pair) for pair in zip(steering, speed, strict=True)]
    assert numbers == list(range(count))


@given(st.tuples(st.floats(-1, 1), st.floats(-1, 1)))
def test_a_continuous_action_comes_back_as_it_was(action: tuple[float, float]) -> None:
    steering, speed = CONTINUOUS.decode(np.array([action], np.float32))
    native = external_sim.native_action(CONTINUOUS, float(steering[0]), float(speed[0]))
    assert native == pytest.approx(np.float32(action), abs=1e-5)


def test_pictures_of_three_shapes_become_grey() -> None:
    colour = np.zeros((120, 160, 3), np.uint8)
    colour[..., 1] = 200
    wanted = np.full((120, 160), round(0.587 * 200), np.uint8)
    assert np.array_equal(external_sim.grey(colour), wanted)
    assert np.array_equal(external_sim.grey(colour.transpose(2, 0, 1)), wanted)
    assert np.array_equal(external_sim.grey(wanted), wanted)
    with pytest.raises(UserError, match="480, 640"):
        external_sim.grey(np.zeros((480, 640)))


def test_reward_parameters_are_taken_and_wrong_ones_named() -> None:
    values = ParamArrays.allocate(load_track("kidney"), 1)
    external_sim.fill(
        values, {"x": 1.5, "closest_waypoints": [3, 4], "steps": 30, "is_offtrack": True, "new": object()}
    )
    assert (values.x[0], values.closest_waypoints[0].tolist(), values.is_offtrack[0]) == (1.5, [3, 4], True)
    assert values.sim_time[0] == 2.0
    with pytest.raises(UserError, match="progress is 'far'"):
        external_sim.fill(values, {"progress": "far"})
    with pytest.raises(UserError, match="no reward_params"):
        external_sim.fill(values, None)


def test_an_end_is_named_and_one_without_a_reason_is_a_cut() -> None:
    said = dict.fromkeys((status.name for status in EpisodeStatus), False)
    assert external_sim.status_of({"episode_status": {**said, "crashed": True}}) is EpisodeStatus.crashed
    assert external_sim.status_of({"episode_status": said}) is EpisodeStatus.time_up
    assert external_sim.status_of({}) is EpisodeStatus.time_up


def test_the_client_is_configured_from_the_metadata() -> None:
    config = agent_config(CONTINUOUS)
    assert config["action_space_type"] == "continuous"
    assert set(config["action_space"]) == {"steering_angle", "speed"}
    assert agent_config(DISCRETE)["sensor"] == list(DISCRETE.sensors) != []


@pytest.mark.parametrize("address", ["here", "here:", ":8888", "here:0", "here:99999", "here:port"])
def test_an_address_without_a_host_or_port_is_named(address: str) -> None:
    with pytest.raises(UserError, match=repr(address)):
        connect(address, load_track("kidney"), DISCRETE)


def test_simulators_are_handed_out_to_workers_one_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERACER_SIMULATORS", raising=False)
    assert (given_simulators(), simulator_of(7)) == ([], "")
    check_workers(12, 16)
    monkeypatch.setenv("KUBERACER_SIMULATORS", "one:1, two:2,")
    assert [simulator_of(1), simulator_of(2)] == given_simulators() == ["one:1", "two:2"]
    check_workers(2, 1)
    with pytest.raises(UserError, match="worker 3 has no simulator"):
        simulator_of(3)
    for workers, cars in ((0, 16), (2, 16), (1, 1), (3, 1)):
        with pytest.raises(UserError, match="names 2 simulators of one car each"):
            check_workers(workers, cars)


def test_a_client_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERACER_DEEPRACER_PYTHON", "/nowhere/python")
    monkeypatch.setattr(deepracer_sim.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="there is no /nowhere/python"):
        connect("127.0.0.1:9", load_track("kidney"), DISCRETE)


def test_deadlines_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERACER_SIMULATOR_ANSWER_S", "0.5")
    assert Deadlines.from_environment() == Deadlines(500.0, 0.5)
    for wrong in ("soon", "0", "-1", "nan"):
        monkeypatch.setenv("KUBERACER_SIMULATOR_START_S", wrong)
        with pytest.raises(UserError, match="KUBERACER_SIMULATOR_START_S is"):
            Deadlines.from_environment()


JSON = st.recursive(
    st.none() | st.integers() | st.text() | st.binary(), lambda inner: st.dictionaries(st.text(), inner)
)


@given(JSON | st.fixed_dictionaries({}, optional=dict.fromkeys(("_next_state", "_game_over", "_goal", "info"), JSON)))
def test_an_answer_that_lacks_a_part_is_refused(answer: object) -> None:
    with pytest.raises(UserError, match="is no answer of the protocol"):
        checked(answer, "here:1")


class Flaky:
    """A simulator of one step an episode, of which `dies` says at which calls it is away."""

    def __init__(self, dies: set[int]):
        self.calls, self.dies, self.steps, self.closed = 0, dies, 0, 0

    def _call(self) -> tuple[dict[str, np.ndarray], dict[str, object]]:
        self.calls += 1
        if self.calls in self.dies:
            raise external_sim.SimulatorGoneError("away", "start it")
        picture = np.full((120, 160), self.calls, np.uint8)
        return {"FRONT_FACING_CAMERA": picture}, {"reward_params": {"steps": self.steps}, "episode_status": {}}

    def reset(self) -> tuple[dict[str, np.ndarray], dict[str, object]]:
        self.steps = 1
        return self._call()

    def step(self, action: object) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, object]]:
        self.steps += 1
        pictures, info = self._call()
        return pictures, 0.0, False, False, info

    def close(self) -> None:
        self.closed += 1


def test_an_episode_in_which_the_simulator_dies_is_cut_short_and_the_next_one_begins_where_it_is_back() -> None:
    flaky = Flaky({3, 6})  # the second step; then a reset
    sim = external_sim.ExternalSim(lambda: flaky, load_track("kidney"), DISCRETE)
    drive = (np.zeros(1), np.ones(1))
    sim.reset()
    sim.advance(*drive)
    assert (sim.truncated[0], sim.frames.max()) == (False, 2)
    sim.advance(*drive)
    assert (sim.terminated[0], sim.truncated[0], sim.status_name(0)) == (False, True, "time_up")
    assert (sim.values.steps[0], sim.frames.max(), sim.returns, flaky.closed) == (3, 2, 1, 1)
    sim.reset()
    assert (sim.truncated[0], sim.values.steps[0], sim.frames.max(), sim.episode[0]) == (False, 1, 4, 1)
    sim.advance(*drive)
    sim.reset()
    assert (sim.returns, sim.values.steps[0], sim.frames.max(), flaky.closed) == (2, 1, 7, 2)


def test_a_simulator_that_stays_away_is_an_error() -> None:
    flaky = Flaky({2, 3})
    sim = external_sim.ExternalSim(lambda: flaky, load_track("kidney"), DISCRETE)
    sim.reset()
    with pytest.raises(external_sim.SimulatorGoneError):
        sim.advance(np.zeros(1), np.ones(1))


def test_one_that_was_never_there_is_not_waited_for_twice() -> None:
    sim = external_sim.ExternalSim(lambda: Flaky({1}), load_track("kidney"), DISCRETE)
    with pytest.raises(external_sim.SimulatorGoneError):
        sim.reset()
    assert sim.returns == 0


def test_an_external_simulator_is_trained_in_for_time_trials() -> None:
    deepracer_sim.time_trials_only(0)
    with pytest.raises(UserError, match="time trials, not among 6 objects"):
        deepracer_sim.time_trials_only(6)


def with_sensors(*sensors: str) -> ModelMetadata:
    return ModelMetadata.parse(
        DISCRETE.to_json().replace('"FRONT_FACING_CAMERA"', ", ".join(f'"{n}"' for n in sensors))
    )


class Sending:
    """An environment that sends these pictures."""

    def __init__(self, **pictures: np.ndarray):
        self.pictures = pictures

    def reset(self):
        return self.pictures, {"reward_params": {"steps": 1}}


def test_stereo_and_a_lidar_are_taken_as_the_client_sends_them() -> None:
    pair = np.stack([np.full((120, 160), 10, np.uint8), np.full((120, 160), 20, np.uint8)])
    ranges = np.full(64, np.inf, np.float32)
    ranges[:3] = 0.01, 0.4, np.nan
    for stereo in (pair, pair.transpose(1, 2, 0)):
        metadata = with_sensors("STEREO_CAMERAS", "DISCRETIZED_SECTOR_LIDAR")
        sending = partial(Sending, STEREO_CAMERAS=stereo, LIDAR=ranges)
        sim = external_sim.ExternalSim(sending, load_track("kidney"), metadata)
        sim.reset()
        assert np.array_equal(sim.frames, pair[None])
        assert sim.lidar[0, :4].tolist() == np.float32([0.15, 0.4, 12.0, 12.0]).tolist()
        camera, lidar = Observations(sim, metadata, 1).current
        assert (camera.shape, lidar.shape, lidar.sum()) == ((1, 120, 160, 2), (1, 64), 1.0)


def test_the_left_camera_is_the_front_one() -> None:
    grey = np.full((120, 160), 7, np.uint8)
    sim = external_sim.ExternalSim(
        lambda: Sending(FRONT_FACING_CAMERA=grey), load_track("kidney"), with_sensors("LEFT_CAMERA")
    )
    sim.reset()
    assert (sim.frames == 7).all()
    assert sim.lidar is None


@pytest.mark.parametrize(
    ("sensors", "pictures", "said"),
    [
        (["STEREO_CAMERAS"], {"STEREO_CAMERAS": np.zeros((3, 120, 160))}, "stereo picture is .3, 120, 160."),
        (["LEFT_CAMERA", "LIDAR"], {"LEFT_CAMERA": np.zeros((120, 160))}, "no sensor LIDAR: it sent LEFT_CAMERA"),
        (["LEFT_CAMERA", "LIDAR"], {"LEFT_CAMERA": np.zeros((120, 160)), "LIDAR": np.zeros(8)}, "not 64 values"),
    ],
)
def test_a_sensor_that_does_not_fit_is_named(sensors, pictures, said) -> None:
    sim = external_sim.ExternalSim(lambda: Sending(**pictures), load_track("kidney"), with_sensors(*sensors))
    with pytest.raises(UserError, match=said):
        sim.reset()


def test_the_client_is_asked_for_sensors_that_it_knows() -> None:
    for sensors, asked in (
        (("LEFT_CAMERA", "SECTOR_LIDAR"), ["FRONT_FACING_CAMERA", "LIDAR"]),
        (("STEREO_CAMERAS", "DISCRETIZED_SECTOR_LIDAR"), ["STEREO_CAMERAS", "LIDAR"]),
        (("observation",), ["FRONT_FACING_CAMERA"]),
    ):
        assert agent_config(with_sensors(*sensors))["sensor"] == asked
