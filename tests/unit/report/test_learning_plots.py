"""What a training's episodes, learner and clock said, by iteration: numbers first, then that they are drawn."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image

from kuberacer.formats.training_metrics import TrainingMetric, TrainingMetrics
from kuberacer.report import learning_plots
from kuberacer.report.history import HistoryRow

SECONDS = st.floats(0, 100)


def row(iteration: int, episodes: int, here: int, **changes) -> HistoryRow:
    values = {
        "iteration": iteration, "seconds": 5.0 * iteration, "steps": 512 * iteration, "episodes": episodes,
        "episodes_here": here, "mean_return": 3.0 if here else None, "completion": 20.0 if here else None, "laps": 0,
        "lap_completed": False, "lap_progress": 30.0, "lap_seconds": 4.0, "steps_per_second": 100.0,
        "play_seconds": 1.0, "learn_seconds": 2.0, "lap_wall_seconds": 0.5,
    }  # fmt: skip
    return HistoryRow(**{**values, **changes})


def metrics(*returns: float, lap: int | None = None) -> TrainingMetrics:
    """Training episodes with these returns; the one numbered `lap` completed the lap in 12.5 s."""
    entries = []
    for number, reward in enumerate(returns):
        status = "lap_complete" if number == lap else "off_track"
        common = {"trial": 0, "started": 0.0, "sim_seconds": 12.5, "progress": 10.0 * number, "status": status}
        entries.append(TrainingMetric.of("training", episode=number, reward=reward, **common))
        entries.append(TrainingMetric.of("evaluation", episode=number, reward=-999.0, **common))
    return TrainingMetrics(entries)


def drawn(picture: bytes) -> np.ndarray:
    pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("RGBA"))
    assert (pixels[..., 3] > 0).mean() > 0.005, "nothing is drawn"
    return pixels


def test_episodes_stand_under_the_iteration_in_which_they_ended() -> None:
    rows = [row(1, 2, 2), row(2, 2, 0), row(3, 5, 3)]
    found = learning_plots.by_iteration(rows, metrics(1, 2, 3, 4, 5, lap=3))
    assert [of.tolist() for of in found.returns] == [[1, 2], [], [3, 4, 5]]
    assert [of.tolist() for of in found.progress] == [[0, 10], [], [20, 30, 40]]
    assert [of.tolist() for of in found.lap_seconds] == [[], [], [12.5]]


def test_a_band_holds_eight_of_ten_episodes() -> None:
    spread = learning_plots.Spread.of([np.arange(101.0), np.empty(0), np.array([7.0])])
    np.testing.assert_allclose(spread.mean, [50, np.nan, 7])
    np.testing.assert_allclose(spread.low, [10, np.nan, 7])
    np.testing.assert_allclose(spread.high, [90, np.nan, 7])


@given(
    st.lists(st.tuples(SECONDS, SECONDS, SECONDS, SECONDS, SECONDS, SECONDS, SECONDS), min_size=1, max_size=20),
    st.booleans(),
)
def test_the_parts_of_the_time_add_up_to_the_training(entries, workers: bool) -> None:
    rows, clock = [], 0.0
    for number, (play, learn, freeze, lap, save, wait, other) in enumerate(entries, 1):
        clock += play + learn + freeze + lap + other
        times = {"play_seconds": play, "learn_seconds": learn, "freeze_seconds": freeze, "lap_wall_seconds": lap}
        learning = {"workers": 2.0} if workers else {}
        rows.append(row(number, 0, 0, seconds=clock, save_seconds=save, wait_seconds=wait, learning=learning, **times))
        clock += save + wait
    parts = learning_plots.time_parts(rows)
    np.testing.assert_allclose(sum(parts.values()).sum(), clock, atol=1e-6)
    np.testing.assert_allclose(parts["other"], [entry[-1] for entry in entries], atol=1e-6)
    assert ("waiting for rollouts" in parts) == workers
    assert learning_plots.time_table(rows)[-1][1] == f"{clock:.1f} s"


@pytest.mark.parametrize("iterations", [1, 2, 150])
def test_curves_and_times_are_drawn_for_trainings_of_any_length(iterations: int) -> None:
    rows = [row(number, 2 * number, 2, lap_completed=number > 1) for number in range(1, iterations + 1)]
    episodes = learning_plots.by_iteration(rows, metrics(*range(2 * iterations), lap=0))
    drawn(learning_plots.curves(rows, episodes))
    drawn(learning_plots.time_spent(rows))


def test_a_training_without_a_finished_episode_is_drawn() -> None:
    rows = [row(1, 0, 0), row(2, 0, 0)]
    drawn(learning_plots.curves(rows, learning_plots.by_iteration(rows, TrainingMetrics())))


@pytest.mark.parametrize(
    ("algorithm", "learning", "titles", "said"),
    [
        ("clipped_ppo", {"loss": 1.0, "entropy": 1.6, "kl": 0.01}, 3, []),
        ("sac", {"loss": 1.0, "entropy": -0.3}, 3, ["not recorded"]),
        ("dqn", {"loss": 1.0, "epsilon": 0.2}, 4, ["not defined for DQN"] * 2),
    ],
)
def test_what_a_learner_does_not_define_is_said(
    monkeypatch: pytest.MonkeyPatch, algorithm: str, learning: dict[str, float], titles: int, said: list[str]
) -> None:
    made: list[Figure] = []
    save = learning_plots.png
    monkeypatch.setattr(learning_plots, "png", lambda figure: made.append(figure) or save(figure))
    drawn(learning_plots.learner([row(1, 2, 2, learning=learning), row(2, 4, 2, learning=learning)], algorithm))
    (figure,) = made
    assert len([axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]) == titles
    assert [text.get_text() for axes in figure.axes for text in axes.texts] == said
