"""Evaluations with boxes, bots and rivals, driven by policies that are known."""

import json

import numpy as np
import pytest

from kuberacer.coach.metadata import ModelMetadata
from kuberacer.rollout.entrants import Entrant
from kuberacer.rollout.evaluation import Evaluation
from kuberacer.rollout.trial import Rules, Trial
from kuberacer.sim.episode import SimConfig
from kuberacer.sim.scene import Bots, Boxes, Scene
from kuberacer.sim.track import Track


def at(speed: float) -> ModelMetadata:
    """Straight on, and to the left, at one speed."""
    actions = [{"steering_angle": angle, "speed": speed} for angle in (0.0, 15.0)]
    return ModelMetadata.parse(
        json.dumps({"action_space": actions, "neural_network": "DEEP_CONVOLUTIONAL_NETWORK_SHALLOW"})
    )


class Round:
    """Steers the ring's radius of 3 m: 15 degrees turn on 0.61 m, so a fifth of the time."""

    def __init__(self):
        self.step = 0

    def __call__(self, observations: np.ndarray) -> np.ndarray:
        self.step += 1
        return np.full(len(observations), int(self.step % 5 == 0))


def entrant(speed: float, name: str = "racer", color: str = "Red") -> Entrant:
    return Entrant(Round(), at(speed), name=name, color=color)


def race(ring: Track, *speeds: float, rules: Rules, seed: int = 0) -> list[list[Trial]]:
    return Evaluation([entrant(speed) for speed in speeds], ring, rules, seed=seed).run()


BOX = SimConfig(scene=Scene(boxes=Boxes(count=1, places=((0.25, -1),))))


def test_a_box_costs_the_collision_s_penalty_and_a_metre(ring: Track):
    rules = Rules(trials=1, collision_penalty=2.0, off_track_penalty=9.0, resets=1)
    evaluation = Evaluation([entrant(1.1)], ring, rules, BOX, film=True)
    ((trial,),) = evaluation.run()
    statuses = [row.episode_status for row in trial.rows]
    hit = statuses.index("crashed")
    assert trial.rows[hit].progress == pytest.approx(23, abs=2)
    assert statuses[hit + 1 : hit + 31] == ["pause"] * 30
    assert (trial.incidents["crashed"], trial.penalties["crashed"]) == (1, pytest.approx(2.0))
    assert trial.metric(0).crash_count == 1
    back = trial.rows[hit + 1]
    assert back.progress == pytest.approx(25 - 100 / ring.length, abs=0.5), "a metre behind the box"
    assert np.hypot(back.x, back.y) < 2.9, "on the other lane"
    assert trial.rows[hit + 1].obstacle_crash_counter == 1
    (film,) = evaluation.recordings()
    assert film.objects.shape == (len(trial.rows), 1)


def test_how_far_behind_a_box_is_a_rule(ring: Track):
    rules = Rules(trials=1, resets=1, reset_behind=2.0, collision_penalty=0.0)
    ((trial,),) = Evaluation([entrant(1.1)], ring, rules, BOX).run()
    hit = [row.episode_status for row in trial.rows].index("crashed")
    assert trial.rows[hit + 1].episode_status != "pause"
    assert trial.rows[hit + 1].progress == pytest.approx(25 - 200 / ring.length, abs=0.7)


def test_a_film_shows_boxes_and_bots_and_not_the_racers_twice(ring: Track):
    scene = Scene(bots=Bots(count=2, speed=0.2))
    evaluation = Evaluation([entrant(1.1), entrant(0.6)], ring, Rules(1, resets=0), SimConfig(scene=scene), film=True)
    evaluation.run()
    (film,) = evaluation.recordings(race_type="HEAD_TO_BOT")
    assert film.objects.shape[1] == 2
    assert film.cars.shape[1] == 2
    moved = np.hypot(*(film.objects[key][-1] - film.objects[key][0] for key in ("x", "y")))
    assert (moved > 0.1).all()


def test_the_rear_of_the_grid_drives_further_to_its_lap_s_end(ring: Track):
    front, rear = (trials[0] for trials in race(ring, 1.0, 1.0, rules=Rules(trials=1)))
    assert front.completed
    assert rear.completed
    assert front.resets == rear.resets == 0
    assert rear.seconds - front.seconds == pytest.approx(0.75 / 1.0, abs=0.2)
    assert rear.rows[5].progress == 0.0, "it has not reached the line"


def test_who_drives_into_another_car_has_the_collision(ring: Track):
    slow, other, fast = (trials[0] for trials in race(ring, 0.5, 0.5, 2.0, rules=Rules(trials=1, resets=0)))
    assert fast.status == "crashed"
    assert fast.incidents["crashed"] == 1
    assert slow.incidents["crashed"] == other.incidents["crashed"] == 0
    assert slow.completed, "it drives on"


def test_a_car_whose_trial_has_ended_is_off_the_track(ring: Track):
    rules = Rules(trials=1, resets=0)
    stopped, behind = Entrant(lambda seen: np.zeros(len(seen), int), at(1.5)), entrant(1.0)
    evaluation = Evaluation([stopped, behind], ring, rules)
    out, through = (trials[0] for trials in evaluation.run())
    assert out.status == "off_track"
    assert through.completed, "nothing stands in its way"
    assert evaluation.sim.absent[0]


def test_a_film_shows_a_car_that_has_ended_as_it_did(ring: Track):
    evaluation = Evaluation([entrant(0.8), entrant(1.6)], ring, Rules(trials=1, resets=50), film=True)
    slow, fast = (trials[0] for trials in evaluation.run())
    (film,) = evaluation.recordings()
    assert len(film) == max(len(slow.rows), len(fast.rows))
    assert film.cars["total_time"][-1].tolist() == [slow.seconds, fast.seconds]
    assert film.cars["progress"][-1].tolist() == [100.0, 100.0]


def test_races_side_by_side_and_laps_of_one_race_count_for_each_car(ring: Track):
    trials = race(ring, 1.1, 0.9, rules=Rules(trials=2))
    assert [[trial.number for trial in of] for of in trials] == [[1, 2], [1, 2]]
    assert trials[0][0].seconds == trials[0][1].seconds, "races do not see each other"
    laps = race(ring, 1.1, 0.9, rules=Rules(trials=2, continuous=True))
    assert [[lap.number for lap in of] for of in laps] == [[1, 2], [1, 2]]
    assert laps[0][1].began == laps[0][0].rows[-1].tstamp


@pytest.mark.parametrize(
    "scene", [Scene(boxes=Boxes(3, random=True)), Scene(bots=Bots(2, random=True, lane_change=True))]
)
def test_two_races_with_one_seed_are_the_same(ring: Track, scene: Scene):
    def drive(seed: int) -> list[str]:
        rules = Rules(trials=2, resets=2, collision_penalty=0.5, off_track_penalty=0.5)
        evaluation = Evaluation([entrant(1.1), entrant(0.8)], ring, rules, SimConfig(scene=scene), seed)
        return [row.to_line() for trials in evaluation.run() for trial in trials for row in trial.rows]

    assert drive(1) == drive(1)
    assert drive(1) != drive(2)
