"""Plots draw from real-looking data, the page holds everything it is given, the card names what made the model."""

import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kuberacer.formats.race_result import CarResult, RaceResult, TrackResult, TrialResult, classify
from kuberacer.formats.simtrace import TraceRow
from kuberacer.report import history, html, model_card, plots, races
from kuberacer.report.style import BLUE, ORANGE, RED
from kuberacer.sim.track import Track


@pytest.fixture(scope="module")
def track() -> Track:
    angle = np.linspace(0, 2 * np.pi, 80)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return Track.from_route(np.hstack([3 * ring, 2.6 * ring, 3.4 * ring]), "ring")


@pytest.fixture(scope="module")
def lap(track: Track) -> list[TraceRow]:
    """A lap at 1.5 m/s, a row a fifteenth of a second."""
    steps = int(track.length / 1.5 * 15)
    rows = []
    for step in range(steps):
        angle = 1.5 * step / 15 / 3
        rows.append(
            TraceRow(
                0, step, 3 * np.cos(angle), 3 * np.sin(angle), 0.0, 10.0, 1.5, 1, 1.0, False, True,
                100 * step / steps, 1, track.length, step / 15, "in_progress", 0.0, 0, 0.0,
            )
        )  # fmt: skip
    return rows


def row(iteration: int, **changes) -> history.HistoryRow:
    made = history.HistoryRow(
        iteration, 4.0 * iteration, 2048 * iteration, 30 * iteration, 30, 10.0 * iteration, 20.0, 0, False, 25.0, 5.0,
        500.0, 1.0, 3.0, 0.2, {"loss": 1.0 / iteration, "entropy": 1.6, "kl": 0.01},
    )  # fmt: skip
    return replace(made, **changes)


def is_a_picture(data: bytes, track: Track | None = None) -> np.ndarray:
    picture = np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))
    assert (picture[..., 3] > 0).mean() > 0.005, "nothing is drawn"
    return picture


def test_history_reads_back_what_was_appended(tmp_path: Path):
    rows = [row(1), row(2, mean_return=None, completion=None), row(3, lap_completed=True, lap_seconds=17.5)]
    for one in rows:
        history.append(tmp_path / "history.jsonl", one)
    assert history.read(tmp_path / "history.jsonl") == rows


def test_the_path_and_the_speed_are_drawn(track: Track, lap: list[TraceRow]):
    is_a_picture(plots.path_on_track(track, lap))
    is_a_picture(plots.speed_along_lap(lap))
    is_a_picture(plots.path_on_track(track, lap[:1]))


def test_measured_speed_is_the_distance_over_time(lap: list[TraceRow]):
    assert plots.measured_speed(lap) == pytest.approx(np.full(len(lap), 1.5), rel=1e-3)
    assert np.isnan(plots.measured_speed([lap[0], replace(lap[10], tstamp=lap[1].tstamp)])).all()


def test_the_page_holds_everything_and_asks_nothing_of_a_network():
    page = html.Page(
        "run <1>", "a & b", [("3 of 3", "laps")], [("Path", "of the car", b"\x89PNG")],
        [("Trials", ["trial", "time"], [["1", "17.2 s"]])], [("Reward", "if a < b:\n    pass")], b"mp4",
    )  # fmt: skip
    text = page.render()
    for wanted in (
        "run &lt;1&gt;",
        "a &amp; b",
        "3 of 3",
        "data:image/png;base64,",
        "data:video/mp4;base64,",
        "17.2 s",
        "a &lt; b",
    ):
        assert wanted in text, wanted
    assert not re.search(r"(src|href)=['\"](?!data:)", text)
    assert "http" not in text


def test_the_card_tells_how_the_model_did_and_what_made_it():
    card = {
        "run": "r1", "algorithm": "clipped_ppo", "seed": 3,
        "track": {"name": "ring", "length_m": 18.85, "width_m": 0.8},
        "results": {"laps_completed": 3, "trials": 3, "best_lap_s": 17.25, "steps": 40960, "training_s": 91.0},
        "hyperparameters": {"lr": 0.0003}, "reward": "def reward_function(params):\n    return 1.0\n",
        "checks": {"tensorflow": 0.0}, "digests": {"model.pb": "ab" * 32, "reward-file": "cd" * 32},
        "took": {"total": {"core_hours_used": 0.0625}},
        "evaluations": [
            {
                "track": "ring", "race_type": "F1", "best_lap_s": 17.25, "fastest_possible_s": 12.5, "position": 2,
                "cars": 4,
            }
        ],
    }  # fmt: skip
    text = model_card.markdown(card)
    for wanted in (
        "3 of 3",
        "17.25 s",
        "40,960",
        "`lr`",
        "def reward_function",
        "ab" * 32,
        "seed 3",
        "12.50 s are possible",
        "2 of 4",
        "0.062 core-hours",
    ):
        assert wanted in text, wanted
    assert "| best lap | none |" in model_card.markdown({**card, "results": {**card["results"], "best_lap_s": None}})


def test_a_folders_digest_follows_names_and_contents(tmp_path: Path):
    (tmp_path / "a").write_text("1")
    first = model_card.digest(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    renamed = model_card.digest(tmp_path)
    (tmp_path / "b").write_text("2")
    assert len({first, renamed, model_card.digest(tmp_path)}) == 3


def raced(*seconds: float | None, name: str = "Ada", off: float = 0.0, crashed: float = 0.0) -> CarResult:
    """A car's trials by their seconds; None: one that ended after 12 s and half of the lap."""
    trials = [
        TrialResult(
            number, 50.0 if one is None else 100.0, "off_track" if one is None else "lap_complete", one or 12.0,
            {"off_track": off, "crashed": crashed}, {"off_track": int(off > 0), "crashed": int(crashed > 0)}, 1,
        )
        for number, one in enumerate(seconds, 1)
    ]  # fmt: skip
    return CarResult(name, "Red", f"s3://bucket/{name}", trials)


def colours(picture: bytes) -> dict[str, int]:
    """How many pixels each of the bars' colours has."""
    pixels = is_a_picture(picture)
    found = {}
    for name in (BLUE, ORANGE, RED):
        wanted = np.array([int(name[i : i + 2], 16) for i in (1, 3, 5)])
        found[name] = int((np.abs(pixels[..., :3].astype(int) - wanted).max(axis=-1) < 4).sum())
    return found


def test_bars_of_trials_show_the_time_that_each_kind_of_penalty_took():
    clean = colours(plots.trial_times([TrackResult("kidney", 18.0, [raced(20.0, 20.0)])]))
    both = colours(plots.trial_times([TrackResult("kidney", 18.0, [raced(20.0, 20.0, off=5.0, crashed=10.0)])]))
    assert clean[BLUE] > 1000
    assert clean[ORANGE] == clean[RED] == 0
    # The keys of the legend are a small part.
    assert both[RED] == pytest.approx(2 * both[ORANGE], rel=0.15)
    assert both[BLUE] == pytest.approx(both[ORANGE], rel=0.15), "5 of 20 s are driving"
    is_a_picture(plots.trial_times([TrackResult(t, 18.0, [raced(20.0, None)]) for t in ("kidney", "pebble")]))


def test_a_race_of_several_cars_has_its_standings():
    cars = classify([raced(20.0, 21.0), raced(19.0, 19.5, name="Grace", off=5.0), raced(None, None, name="Lin")])
    race = RaceResult("F1", "Ada", False, "best", "", "", [TrackResult("kidney", 18.0, cars)])
    standings, trials = races.tables(race)
    assert standings[0] == "Race"
    assert [row[:2] for row in standings[2]] == [["1", "Grace"], ["2", "Ada"], ["3", "Lin"]]
    assert standings[2][1][5] == "+2.500 s"
    assert standings[2][2][5:7] == ["", "none"]
    assert trials[0] == "Trials"
    assert [row[1] for row in trials[2]] == ["100 %", "100 %"]
    assert all(len(row) == len(table[1]) for table in (standings, trials) for row in table[2])


def test_a_race_alone_on_two_tracks_has_trials_of_each():
    tracks = [TrackResult(name, 18.0, [raced(20.0, None)]) for name in ("kidney", "pebble")]
    found = races.tables(RaceResult("TIME_TRIAL", "", True, "best", "", "", tracks))
    assert [title for title, _, _ in found] == ["Laps on kidney", "Laps on pebble"]
    assert found[0][2][1][1] == "50 %"
    assert found[0][2][1][-1] == "Off track"
