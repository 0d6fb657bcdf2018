"""Fixtures of how wide networks are in the tests of a folder, for its conftest.py to import."""

import pytest


@pytest.fixture(scope="module", autouse=True)
def narrow_networks():
    """Nearly all weights of DeepRacer's networks are the middleware's: a narrow one leaves every path as it is, in a
    fraction of the time."""
    from kuberacer.coach import deepracer_preset

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(deepracer_preset, "MIDDLEWARE_UNITS", 32)
        yield


@pytest.fixture
def whole_networks(monkeypatch):
    """DeepRacer's own width."""
    from kuberacer.coach import deepracer_preset

    monkeypatch.setattr(deepracer_preset, "MIDDLEWARE_UNITS", 512)
