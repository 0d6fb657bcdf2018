"""What the overlay calls out and when, and in which order it lists the racers."""

import numpy as np
import pytest
from recordings import recorded, ring

from kuberacer.report.overlay import BANNER_STEPS, banners, standings
from kuberacer.report.paint import car_color, shade
from kuberacer.report.recording import CAR, LONGEST, Recording, Reel
from kuberacer.report.typeface import clock, fitted, font
from kuberacer.sim.episode import EpisodeStatus as Status
from kuberacer.sim.scene import CAR_COLORS


def driven(steps: int = 60, **columns: dict[int, float]) -> Recording:
    """Each column's values from the given steps on."""
    made = recorded(steps=steps)
    for key, changes in columns.items():
        for step, value in changes.items():
            made.cars[key][step:, 0] = value
    return made


def test_an_incident_tells_its_penalty_while_the_car_stands_for_it():
    made = driven(status={10: Status.off_track, 11: Status.in_progress}, resets={11: 1})
    made.cars["penalty"][11:51, 0] = np.arange(1, 41) / 10
    made.cars["penalty"][51:, 0] = 4.0
    made.cars["status"][30:40, 0] = Status.immobilized
    told = banners(made, 0)
    assert told[:10] == [None] * 10
    assert told[10:51] == [("OFF TRACK  +4.0 s", False)] * 41
    assert told[51:] == [None] * 9, "a car that stands for its penalty is not immobilized"


def test_a_penalty_that_is_added_at_once_is_told_for_a_while():
    made = recorded(steps=60, statuses={10: Status.crashed})
    told = banners(made, 0)
    assert told[9] is None
    assert told[10 : 10 + BANNER_STEPS] == [("CRASHED  +5.0 s", False)] * BANNER_STEPS
    assert told[10 + BANNER_STEPS] is None


def test_a_trial_s_end_and_a_continuous_race_s_laps_are_told():
    assert banners(driven(status={59: Status.lap_complete}), 0)[59] == ("LAP COMPLETE", True)
    assert banners(driven(status={59: Status.time_up}), 0)[59] == ("TIME UP", False)
    told = banners(driven(lap={20: 2}), 0)
    assert told[19:21] == [None, ("LAP 1 COMPLETE", True)]


def test_a_new_episode_tells_how_the_one_before_ended():
    made = driven(status={30: Status.reversed, 31: Status.in_progress})
    made.cars["total_time"][31:, 0] = 0.1
    assert banners(made, 0)[30] == ("REVERSED", False)


def test_standings_go_by_laps_then_progress_then_time():
    cars = np.zeros(4, CAR)
    cars["lap"], cars["progress"], cars["total_time"] = [1, 2, 2, 2], [90, 10, 50, 50], [9, 9, 9, 8]
    assert standings(cars) == [3, 2, 1, 0]


def test_the_recording_comes_back_from_its_file(tmp_path):
    made = recorded(names=("A", "B"), colors=("Blue", "f1_car_1e73fc"), views=2, things=((90.0, 3.0, 1),))
    made.save(tmp_path / "made.npz")
    back = Recording.load(tmp_path / "made.npz")
    for name in ("cars", "objects", "camera"):
        assert (getattr(back, name) == getattr(made, name)).all()
        assert getattr(back, name).dtype == getattr(made, name).dtype
    assert (back.names, back.colors, back.laps, back.leaderboard) == (made.names, made.colors, 3, "City Cup")
    assert back.track.digest() == made.track.digest()
    with pytest.raises(ValueError, match="1 names"):
        Recording(made.track, ["A"], ["Red"], made.cars, made.objects, made.camera)


def test_a_reel_ends_after_five_minutes():
    reel = Reel()
    for step in range(LONGEST + 10):
        reel.add(np.full(1, step, CAR), np.empty(0), np.zeros((1, 1, 1, 1), np.uint8))
    made = reel.recording(ring(), ["A"], ["Red"])
    assert len(made) == LONGEST == 4500
    assert made.cars["x"][-1, 0] == LONGEST - 1


def test_colours_by_their_names():
    assert {name: car_color(name) for name in CAR_COLORS} == CAR_COLORS
    assert car_color("f1_car_1e73fc") == car_color("#1E73FC") == (0x1E, 0x73, 0xFC)
    assert car_color("no colour") == CAR_COLORS["Black"]
    assert shade((100, 200, 0), 0.5) == (50, 100, 0)
    assert shade((100, 200, 0), 2.0) == (255, 255, 255)


def test_texts_fit_their_room_on_one_line():
    face = font(12)
    assert fitted("Zoë\nand\tAda", 500, face) == "Zoë and Ada"
    cut = fitted("x" * 200, 100, face)
    assert cut.endswith("…")
    assert face.getlength(cut) <= 100
    assert fitted("", 100, face) == ""
    assert fitted("x" * 10_000_000, 100, face) == cut
    assert [clock(seconds) for seconds in (0, 59.9996, 61.5, 3600)] == ["0:00.000", "1:00.000", "1:01.500", "60:00.000"]
