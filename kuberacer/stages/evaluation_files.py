"""What an evaluation leaves: metrics and traces of every car on every track, the result of the race, videos.

Track k of the evaluation, from 0, gives k-iteration.csv; with several cars, those of car i are below agent_i, as
DeepRacer's simulator names its cars. Below the result's folder metrics lie as in the bucket, beside k-track.npy and
k-fastest.npy.
"""

import hashlib
import shutil
from pathlib import Path

import numpy as np

from kuberacer.formats.evaluation_metrics import EvaluationMetric, write_evaluation
from kuberacer.formats.race_config import RaceConfig
from kuberacer.formats.race_result import METRICS, RESULT, CarResult, RaceResult, TrackResult, TrialResult, classify
from kuberacer.formats.simtrace import write_trace
from kuberacer.report.film import VIEWS, film_views
from kuberacer.report.recording import Recording
from kuberacer.rollout.entrants import Entrant
from kuberacer.rollout.evaluation import Evaluation
from kuberacer.rollout.trial import Trial, metrics
from kuberacer.sim.fastest_lap import fastest_lap
from kuberacer.sim.track import Track


class Results:
    """Collects an evaluation's tracks."""

    def __init__(self, race: RaceConfig, simtrace: Path, folder: Path):
        self.race, self.simtrace, self.folder = race, simtrace, folder
        self.tracks: list[TrackResult] = []
        self.own: list[EvaluationMetric] = []  # of the model that is evaluated, over all tracks
        self.films: list[tuple[tuple, Path]] = []  # how good the model's trial is, its video

    @property
    def race_result(self) -> RaceResult:
        race = self.race
        racer = next(iter(race.racer_name or race.display_name), "")
        return RaceResult(
            race.race_type, racer, race.is_continuous, race.eval_checkpoint, race.leaderboard_name,
            race.leaderboard_type, self.tracks,
        )  # fmt: skip

    def add(self, evaluation: Evaluation) -> None:
        """Write metrics and traces of what was driven on one track."""
        number, several = len(self.tracks), len(evaluation.entrants) > 1
        name = "EvaluationMetrics.json" if number == 0 else f"EvaluationMetrics-{number}.json"
        for car, trials in enumerate(evaluation.trials):
            agent = f"agent_{car}" if several else ""
            entries = metrics(trials)
            write_evaluation(self.folder / METRICS / agent / name, entries)
            rows = [row for trial in trials for row in trial.rows]
            write_trace(self.simtrace / agent / f"{number}-iteration.csv", rows)
            if car == 0:
                self.own += entries
        cars = [car_result(*of) for of in zip(evaluation.entrants, evaluation.trials, strict=True)]
        track = evaluation.track
        np.save(self.folder / f"{number}-track.npy", track.route())
        fastest = yardstick(track, self.race.reverse_dir, self.folder / f"{number}-fastest.npy")
        self.tracks.append(TrackResult(track.name, round(track.length, 3), classify(cars), fastest))

    def film(self, evaluation: Evaluation, folder: Path) -> None:
        """Draw every race in every view: camera-<view>/N-video.mp4."""
        own, drawn = evaluation.trials[0], dict[str, int]()
        recordings = evaluation.recordings(self.race.leaderboard_name, self.race.race_type)
        for race, recording in enumerate(recordings):
            number = len(self.films)
            paths = {view: folder / f"camera-{view}" / f"{number}-video.mp4" for view in VIEWS}
            # Without chance in the race its trials are all the same.
            same = drawn.setdefault(digest(recording), number)
            if same == number:
                film_views(recording, paths)
            else:
                for path in paths.values():
                    shutil.copyfile(path.with_name(f"{same}-video.mp4"), path)
            trial = own[-1] if evaluation.rules.continuous else own[race]
            worth = (trial.completed, -trial.seconds if trial.completed else trial.progress)
            self.films.append((worth, folder / "camera-pip" / f"{number}-video.mp4"))

    def finish(self, evaluation_metrics: Path, video: Path) -> None:
        """Write the race's result, the model's metrics, and its best trial's video."""
        self.race_result.write(self.folder / RESULT)
        write_evaluation(evaluation_metrics, self.own)
        worths = [worth for worth, _ in self.films]
        video.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.films[worths.index(max(worths))][1], video)


def digest(recording: Recording) -> str:
    """Of all that happened in a race."""
    total = hashlib.sha256()
    for array in (recording.cars, recording.objects, recording.camera):
        total.update(np.ascontiguousarray(array).view(np.uint8).data)
    return total.hexdigest()


def car_result(entrant: Entrant, trials: list[Trial]) -> CarResult:
    return CarResult(entrant.name, entrant.color, entrant.model, [trial_result(trial) for trial in trials])


def trial_result(trial: Trial) -> TrialResult:
    return TrialResult(
        trial.number,
        100.0 if trial.completed else round(trial.progress, 3),
        trial.status,
        round(trial.seconds, 3),
        {kind: round(seconds, 3) for kind, seconds in trial.penalties.items()},
        dict(trial.incidents),
        trial.resets,
    )


def yardstick(track: Track, reverse: bool, path: Path) -> float | None:
    """Seconds of the quickest lap that is possible; writes it as rows x, y, m/s, s. None where it cannot be found."""
    try:
        lap = fastest_lap(track, reverse)
    except (ArithmeticError, ValueError, np.linalg.LinAlgError) as error:
        print(f"no fastest lap was found for {track.name}: {error!s:.120}", flush=True)
        return None
    np.save(path, np.column_stack([lap.path, lap.speed, lap.time]))
    return round(lap.seconds, 3)
