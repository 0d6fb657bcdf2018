"""What stands and drives on a track besides the policy's car."""

from dataclasses import dataclass

from kuberacer.errors import UserError
from kuberacer.sim.track import Track


@dataclass(frozen=True)
class Boxes:
    """places: (fraction of the lap, lane: -1 outer, 1 inner); the rest is spread. spacing: metres at least between two
    along the centre line. random: new places each episode."""

    count: int = 0
    kind: str = "box_obstacle"
    places: tuple[tuple[float, int], ...] = ()
    random: bool = False
    spacing: float = 2.0


@dataclass(frozen=True)
class Bots:
    """Cars at constant speed (m/s) that may change lanes every lane_change_every seconds, within lane_change_distance
    metres. The rest as Boxes."""

    count: int = 0
    speed: float = 0.2
    places: tuple[tuple[float, int], ...] = ()
    random: bool = False
    spacing: float = 2.0
    lane_change: bool = False
    lane_change_every: tuple[float, float] = (3.0, 5.0)
    lane_change_distance: float = 1.0


@dataclass(frozen=True)
class Scene:
    """together: cars i*together … (i+1)*together-1 share one track and see and hit each other."""

    boxes: Boxes = Boxes()
    bots: Bots = Bots()
    together: int = 1

    def check(self, track: Track) -> None:
        """Raises UserError naming what does not fit on the track."""
        for name, things in (("boxes", self.boxes), ("bots", self.bots)):
            if things.count * things.spacing > track.length:
                raise UserError(
                    f"{things.count} {name}, {things.spacing:g} m apart, do not fit on {track.name} "
                    f"({track.length:.1f} m)",
                    "place fewer, or closer to each other",
                )
