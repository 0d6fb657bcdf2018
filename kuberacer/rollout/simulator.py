"""The one place that makes a simulator for a model: its sensors, a race's rules."""

from kuberacer.coach.metadata import ModelMetadata
from kuberacer.sim.episode import SimConfig
from kuberacer.sim.race_sim import RaceSim
from kuberacer.sim.track import Track


def simulator(
    track: Track, cars: int, metadata: ModelMetadata, rules: SimConfig, seed: int, clean: bool = False
) -> RaceSim:
    """clean: leave the cameras' noise away, as RaceSim does."""
    return RaceSim(track, cars, seed=seed, config=rules, clean=clean, sensors=metadata.sensors)
