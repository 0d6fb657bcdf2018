"""What the report and the model card say about the reward: its language, its digest, its cost."""

from dataclasses import replace

import pytest

from kuberacer.report import model_card
from kuberacer.report.history import HistoryRow
from kuberacer.stages.publish import mean_reward_us
from kuberacer.stages.report_page import reward_cost

ROW = HistoryRow(1, 1.0, 100, 1, 1, None, None, 0, False, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0)


def test_cost_is_the_mean_over_the_steps() -> None:
    rows = [
        replace(ROW, steps=100, learning={"reward_us": 1.0}),
        replace(ROW, steps=400, learning={"reward_us": 5.0, "loss": 1.0}),
        replace(ROW, steps=900),
    ]
    assert mean_reward_us(rows) == pytest.approx((100 * 1.0 + 300 * 5.0) / 400)
    assert mean_reward_us([ROW]) is None
    assert reward_cost(None, "C") == []
    assert reward_cost(4.04, "C") == [("4.0 µs", "the reward in C, for a step of a car")]


@pytest.mark.parametrize(
    ("language", "first", "fence"),
    [
        ("Python", "In Python; sha256 `abc`.", "```python"),
        ("JavaScript", "In JavaScript; sha256 `abc`.", "~~~~text"),
        ("HTTP", "The server computed it: its code is not known here; sha256 `abc`.", "~~~~text"),
    ],
)
def test_the_card_names_language_and_digest(language: str, first: str, fence: str) -> None:
    lines = model_card.reward({"reward_language": language, "reward": "it\n", "digests": {"reward-file": "abc"}})
    assert lines == [first, "", fence, "it", fence.rstrip("pythonex")]
