import numpy as np
import pytest

from kuberacer.sim.track import Track
from tests.seaweed import settings, store  # noqa: F401
from tests.unit.networks import narrow_networks  # noqa: F401


@pytest.fixture(scope="session")
def ring() -> Track:
    """A loop of 3 m radius, 0.8 m wide."""
    angle = np.linspace(0, 2 * np.pi, 120)
    unit = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return Track.from_route(np.hstack([3 * unit, 2.6 * unit, 3.4 * unit]), "ring")
