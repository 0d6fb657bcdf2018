"""Which trace and which sectors a report is about, where the model raced others or on another track."""

from pathlib import Path

import numpy as np

from kuberacer.formats.race_result import CarResult, RaceResult, TrackResult, TrialResult
from kuberacer.sim.track import Track, load_track
from kuberacer.stages import report_page
from tests.unit.report.traced import episode, steps

ANGLE = np.linspace(0, 2 * np.pi, 300)


def race(*trials: TrialResult, cars: int = 1) -> RaceResult:
    entered = [CarResult(f"racer{number}", "Red", "m", list(trials)) for number in range(cars)]
    return RaceResult("TIME_TRIAL", "me", False, "best", "", "", [TrackResult("ring", 18.8, entered)])


def trial(number: int, progress: float, seconds: float) -> TrialResult:
    return TrialResult(number, progress, "lap_complete" if progress == 100 else "off_track", seconds, {}, {}, 0)


def ring(radius: float) -> Track:
    unit = np.stack([np.cos(ANGLE), np.sin(ANGLE)], axis=1)
    return Track.from_route(np.hstack([radius * unit, (radius - 0.4) * unit, (radius + 0.4) * unit]), "ring")


def test_the_model_is_the_first_of_the_cars() -> None:
    assert report_page.first_cars_trace(Path("t"), race(trial(1, 100, 9))) == Path("t/0-iteration.csv")
    assert report_page.first_cars_trace(Path("t"), race(trial(1, 100, 9), cars=2)) == Path("t/agent_0/0-iteration.csv")


def test_the_best_trial_came_furthest_and_then_soonest() -> None:
    assert report_page.best_of(race(trial(1, 70, 5), trial(2, 100, 12), trial(3, 100, 11))) == 2


def test_training_and_evaluation_on_two_tracks_have_sectors_of_their_own() -> None:
    track, driven = ring(3), steps(episode(0, 3 * np.cos(ANGLE), 3 * np.sin(ANGLE)))
    result = race(trial(1, 100, 20.0))
    ((where, on, times),) = report_page.sectors_of(track, driven, ring(3), driven, result, None)
    assert (where, on.length) == ("", track.length)
    assert [name for name, _ in times.speeds()] == ["training's end", "trials, mean", "best trial"]
    other = load_track("kidney")
    trained, raced = report_page.sectors_of(other, driven, track, driven, result, None)
    assert (trained[0], raced[0]) == (" of kidney, training", " of ring, evaluation")
    assert [name for name, _ in trained[2].speeds()] == ["training's end"]
    assert [name for name, _ in raced[2].speeds()] == ["trials, mean", "best trial"]
