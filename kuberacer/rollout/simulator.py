"""The one place that makes a simulator for a model: its sensors, a race's rules, its rivals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kuberacer.coach.metadata import ModelMetadata
from kuberacer.errors import UserError
from kuberacer.sim.episode import SimConfig
from kuberacer.sim.race_sim import RaceSim
from kuberacer.sim.track import Track

if TYPE_CHECKING:
    from kuberacer.rollout.entrants import Entrant
    from kuberacer.rollout.rivals import AmongRivals


def simulator(
    track: Track,
    cars: int,
    metadata: ModelMetadata,
    rules: SimConfig,
    seed: int,
    clean: bool = False,
    rivals: Sequence[Entrant] = (),
    color: str = "Black",
) -> RaceSim | AmongRivals:
    """A simulator of the model's cars. rivals: drive the other cars of each group, where the rules have groups.

    clean: leave the cameras' noise away, as RaceSim does. color: the model's cars'. Raises UserError for rivals with
    other sensors."""
    if rules.scene.together != len(rivals) + 1:
        raise ValueError(f"groups of {rules.scene.together} cars with {len(rivals)} rivals")
    sim = RaceSim(
        track, cars * rules.scene.together, seed=seed, config=rules, clean=clean,
        sensors=equipment([metadata, *(rival.metadata for rival in rivals)]),
        colors=[color, *(rival.color for rival in rivals)],
    )  # fmt: skip
    if not rivals:
        return sim
    from kuberacer.rollout.rivals import AmongRivals  # not at the top: its policies are those of the laps

    return AmongRivals(sim, rivals)


def equipment(models: Sequence[ModelMetadata]) -> tuple[str, ...]:
    """The sensors of cars that share a simulator: one camera, and a lidar when any of them has one.

    Raises UserError when they have different cameras."""
    cameras = list(dict.fromkeys(metadata.camera for metadata in models))
    if len(cameras) > 1:
        raise UserError(f"the racers' cameras differ: {', '.join(cameras)}", "let models with one kind of camera race")
    lidars = [metadata.lidar for metadata in models if metadata.lidar]
    return (cameras[0], *lidars[:1])
