"""DeepRacer's sim trace: a CSV line a step. Field order and spelling as the community's log tools read them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kuberacer.errors import UserError

HEADER = (
    "episode,steps,X,Y,yaw,steer,throttle,action,reward,done,all_wheels_on_track,progress,closest_waypoint,track_len,"
    "tstamp,episode_status,pause_duration,obstacle_crash_counter,wall_clock"
)
LOG_PREFIX = "SIM_TRACE_LOG:"


@dataclass(frozen=True)
class TraceRow:
    """One step. yaw and steer in degrees, throttle in m/s (the commanded speed), tstamp in simulated seconds."""

    episode: int
    steps: int
    x: float
    y: float
    yaw: float
    steer: float
    throttle: float
    action: int | tuple[float, ...]
    reward: float
    done: bool
    all_wheels_on_track: bool
    progress: float
    closest_waypoint: int
    track_len: float
    tstamp: float
    episode_status: str
    pause_duration: float
    obstacle_crash_counter: int
    wall_clock: float

    def to_line(self) -> str:
        """The CSV line, without its end; a continuous action is written `[a b]`."""
        action = self.action if isinstance(self.action, int) else "[" + " ".join(f"{a:.6g}" for a in self.action) + "]"
        return (
            f"{self.episode},{self.steps},{self.x:.4f},{self.y:.4f},{self.yaw:.4f},{self.steer:.2f},{self.throttle:.2f},"
            f"{action},{self.reward:.4f},{self.done},{self.all_wheels_on_track},{self.progress:.4f},"
            f"{self.closest_waypoint},{self.track_len:.3f},{self.tstamp:.3f},{self.episode_status},"
            f"{self.pause_duration:.1f},{self.obstacle_crash_counter},{self.wall_clock:.3f}"
        )

    @classmethod
    def from_line(cls, line: str) -> "TraceRow":
        """Raises ValueError for a line that is no trace line; takes log lines with their prefix, too."""
        cells = line.strip().partition(LOG_PREFIX)[2].split(",") if LOG_PREFIX in line else line.strip().split(",")
        if len(cells) != HEADER.count(",") + 1:
            raise ValueError(f"{len(cells)} fields, a sim trace has {HEADER.count(',') + 1}")
        x, y, yaw, steer, throttle = (float(cell) for cell in cells[2:7])
        return cls(
            episode=int(cells[0]),
            steps=int(cells[1]),
            x=x,
            y=y,
            yaw=yaw,
            steer=steer,
            throttle=throttle,
            action=_action(cells[7]),
            reward=float(cells[8]),
            done=_truth(cells[9]),
            all_wheels_on_track=_truth(cells[10]),
            progress=float(cells[11]),
            closest_waypoint=int(cells[12]),
            track_len=float(cells[13]),
            tstamp=float(cells[14]),
            episode_status=cells[15],
            pause_duration=float(cells[16]),
            obstacle_crash_counter=int(cells[17]),
            wall_clock=float(cells[18]),
        )


def _action(cell: str) -> int | tuple[float, ...]:
    return tuple(float(part) for part in cell[1:-1].split()) if cell.startswith("[") else int(cell)


def _truth(cell: str) -> bool:
    if cell not in ("True", "False", "0", "1"):
        raise ValueError(f"{cell!r} is neither True nor False")
    return cell in ("True", "1")


def write_trace(path: Path, rows: Iterable[TraceRow]) -> None:
    """Write a trace file with its header, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="ascii") as file:
        file.write(HEADER + "\n")
        file.writelines(row.to_line() + "\n" for row in rows)


def read_trace(path: Path) -> Iterator[TraceRow]:
    """The rows of a trace file. Raises UserError naming file, line and fault."""
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip() or (number == 1 and line.strip() == HEADER):
                continue
            try:
                yield TraceRow.from_line(line)
            except ValueError as error:
                raise UserError(
                    f"sim trace {path}, line {number}: {error}", "give a trace as DeepRacer or KubeRacer writes it"
                ) from error


def episodes(rows: Iterable[TraceRow]) -> list[Sequence[TraceRow]]:
    """The rows grouped by episode, in order of appearance."""
    grouped: dict[int, list[TraceRow]] = {}
    for row in rows:
        grouped.setdefault(row.episode, []).append(row)
    return list(grouped.values())
