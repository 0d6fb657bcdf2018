"""How long fragments are."""

from hypothesis import given
from hypothesis import strategies as st

from kuberacer.rollout.distributed import FRAGMENT_TIMES, fragment_time


def test_an_iteration_has_several_fragments_of_each_worker() -> None:
    assert fragment_time(2048, 1, 64) == 4
    assert fragment_time(2048, 16, 2) == 8
    assert fragment_time(2048, 1, 1) == 32


@given(st.integers(1, 10**6), st.integers(1, 64), st.integers(1, 2000))
def test_it_is_a_power_of_two_within_bounds(quota: int, cars: int, workers: int) -> None:
    time = fragment_time(quota, cars, workers)
    assert time & (time - 1) == 0
    assert FRAGMENT_TIMES[0] <= time <= FRAGMENT_TIMES[1]
