"""A race's result as tables: the trials of the model, and with rivals the order in which the cars came in."""

from kuberacer.formats.race_result import CarResult, RaceResult, TrackResult, TrialResult
from kuberacer.formats.status import LABELS

Table = tuple[str, list[str], list[list[str]]]
STANDINGS = ["position", "car", "model", "laps", "time", "gap", "best lap", "penalties", "resets"]
TRIALS = ["trial", "lap", "time", "penalties", "off track", "collisions", "resets", "status"]


def tables(race: RaceResult) -> list[Table]:
    """Of every track: the standings where several cars raced, and the first car's trials."""
    found: list[Table] = []
    for result in race.tracks:
        where = f" on {result.track}" if len(race.tracks) > 1 else ""
        if len(result.cars) > 1:
            found.append((f"Race{where}", STANDINGS, standings(result)))
        trials = [trial_row(trial) for trial in result.cars[0].trials]
        found.append((f"{'Laps' if race.continuous else 'Trials'}{where}", TRIALS, trials))
    return found


def standings(result: TrackResult) -> list[list[str]]:
    """Rows under STANDINGS, the winner first."""
    return [car_row(car) for car in result.standings()]


def car_row(car: CarResult) -> list[str]:
    return [
        str(car.position),
        car.name,
        car.model,
        str(car.laps),
        f"{car.seconds:.3f} s",
        "" if car.gap_s is None else f"+{car.gap_s:.3f} s",
        "none" if car.best is None else f"{car.best.seconds:.3f} s",
        f"{car.penalty_seconds:.1f} s",
        str(sum(trial.resets for trial in car.trials)),
    ]


def trial_row(trial: TrialResult) -> list[str]:
    return [
        str(trial.trial),
        f"{trial.progress:.0f} %" if trial.completed else f"{min(99, int(trial.progress))} %",
        f"{trial.seconds:.3f} s",
        f"{trial.penalty_seconds:.1f} s",
        str(trial.incidents.get("off_track", 0)),
        str(trial.incidents.get("crashed", 0)),
        str(trial.resets),
        LABELS[trial.status],
    ]
