"""Log-probabilities are those of what is drawn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuberacer.coach.choose import Explore


@given(st.integers(0, 2**32 - 1), st.sampled_from(["categorical", "epsilon", "random"]))
@settings(deadline=None, max_examples=20)
def test_discrete_draws_have_the_frequencies_that_they_tell(seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    row = rng.random(4) + 0.05
    policy = np.repeat((row / row.sum())[None].astype(np.float32), 20_000, axis=0)
    explore = Explore(kind, 0.3, 4)
    drawn = explore.choose(policy, None, rng)
    shares = np.bincount(drawn, minlength=4) / len(drawn)
    told = np.exp(explore.log_probability(np.arange(4), policy[:4], None))
    np.testing.assert_allclose(shares, told, atol=0.02)
    assert told.sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("kind", ["gaussian", "sac", "random"])
def test_continuous_densities_integrate_to_the_share_of_draws(kind: str) -> None:
    rng = np.random.default_rng(1)
    mean, deviation = np.array([0.2, -0.3], np.float32), np.array([0.4, 0.5], np.float32)
    count = 200_000
    explore = Explore(kind)
    drawn = explore.choose(np.repeat(mean[None], count, 0), np.repeat(deviation[None], count, 0), rng)
    low, high = np.array([-0.2, -0.6]), np.array([0.5, 0.1])
    share = ((drawn > low) & (drawn < high)).all(axis=1).mean()
    x, y = np.meshgrid(*(np.linspace(a, b, 200) for a, b in zip(low, high, strict=True)))
    grid = np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)
    told = explore.log_probability(grid, np.repeat(mean[None], len(grid), 0), np.repeat(deviation[None], len(grid), 0))
    assert np.exp(told.astype(np.float64)).mean() * np.prod(high - low) == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize("data", [None, {}, {"kind": "other"}, [], {"kind": 3}])
def test_what_is_no_exploration_is_refused(data) -> None:
    with pytest.raises(ValueError, match="exploration"):
        Explore.parse(data)
