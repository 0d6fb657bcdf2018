import pytest

from kuberacer.coach.hyperparameters import Hyperparameters
from kuberacer.coach.metadata import ModelMetadata
from tests.unit.coach.presets import small_preset


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


@pytest.fixture
def make_agent():
    """make_agent(algorithm, …) -> an agent, closed after the test. more: lines added to the small preset."""
    from kuberacer.coach.build import build_agent
    from kuberacer.coach.user_preset import Preset

    made = []

    def make(algorithm, cars=4, metadata=None, hyper=None, more="", seed=1, preset="small"):
        source = small_preset(algorithm, more) if preset == "small" else preset
        made.append(
            build_agent(
                ModelMetadata.parse(metadata, algorithm),
                Hyperparameters.parse(hyper, algorithm),
                cars=cars,
                seed=seed,
                preset=Preset.load(source) if source else None,
                threads=1,
                precision="fp32",
            )
        )
        return made[-1]

    yield make
    for agent in made:
        agent.close()
