import pytest

from kuberacer.coach.hyperparameters import Hyperparameters
from kuberacer.coach.metadata import ModelMetadata
from tests.unit.coach.presets import small_preset
from tests.unit.networks import narrow_networks, whole_networks  # noqa: F401


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
