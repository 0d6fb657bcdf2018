"""Drawings of tracks in a terminal."""

import math

from hypothesis import given
from hypothesis import strategies as st

from kuberacer.run.tracks import draw


@given(st.floats(0.5, 80), st.floats(0.2, 5))
def test_a_drawing_fits_and_shows_a_loop(radius: float, flat: float) -> None:
    center = [[radius * math.cos(a / 9), radius * flat * math.sin(a / 9)] for a in range(56)]
    lines = draw(center, closed=True)
    assert len(lines) <= 7
    assert all(len(line) <= 30 for line in lines)
    assert sum(character != chr(0x2800) for line in lines for character in line) >= 6


def test_a_straight_line_is_one_row() -> None:
    assert len(draw([[0.0, 0.0], [1.0, 0.0], [5.0, 0.0]], closed=False)) == 1
