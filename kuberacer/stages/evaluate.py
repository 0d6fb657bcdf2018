"""Evaluate: frozen graphs drive a race's trials, without exploration, with penalties and resets."""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Self

import numpy as np

from kuberacer.coach.frozen_policy import FrozenPolicy
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.errors import UserError, run_main
from kuberacer.formats.race_config import RaceConfig
from kuberacer.formats.race_result import CarResult, RaceResult
from kuberacer.reward.extra_modules import site_of
from kuberacer.reward.open_reward import Reward, open_reward
from kuberacer.rollout.deepracer_sim import given_simulators
from kuberacer.rollout.entrants import Entrant
from kuberacer.rollout.evaluation import Evaluation
from kuberacer.rollout.external_evaluation import check_race, evaluation_in
from kuberacer.rollout.model_files import GRAPH, METADATA, fetch_graph
from kuberacer.rollout.race_rules import evaluation_rules
from kuberacer.rollout.trial import Rules
from kuberacer.settings import StoreSettings
from kuberacer.sim.params import ParamArrays
from kuberacer.sim.race_sim import RaceSim
from kuberacer.sim.track import Track, load_track
from kuberacer.stages.arguments import stage_parser
from kuberacer.stages.evaluation_files import Results
from kuberacer.stages.executor_output import write_metrics
from kuberacer.store.client import ObjectStore, make_client


def main() -> None:
    options = arguments()
    race = RaceConfig.for_evaluation(options.race, options.evaluation)
    rules, tracks = rules_of(race, options), tracks_of(race, options)
    config = evaluation_rules(race)
    if options.simulator:
        check_race(race.race_type, tracks, rules)
    for track in tracks:  # before anything is driven
        config.scene.check(track)
    with tempfile.TemporaryDirectory(prefix="kuberacer-evaluate-") as work:
        entrants = entrants_of(race, options, Path(work))
        results = Results(race, options.simtrace, options.race_result)
        for track in tracks:
            if options.simulator:
                evaluation: Evaluation = evaluation_in(options.simulator, entrants, track, rules)
            else:
                evaluation = Evaluation(entrants, track, rules, config, options.seed, film=True)
            with Rewards(options, track, evaluation.sim) as rewards:
                evaluation.run(rewards)
            results.add(evaluation)
            results.film(evaluation, options.videos)
    results.finish(options.evaluation_metrics, options.video)
    tell(results.race_result, options.executor_output)


def rules_of(race: RaceConfig, options: argparse.Namespace) -> Rules:
    """What the YAML says wins over the parameter of the same meaning."""
    return Rules(
        trials=race.or_parameter("NUMBER_OF_TRIALS", options.trials),
        off_track_penalty=race.or_parameter("OFF_TRACK_PENALTY", options.off_track_penalty),
        collision_penalty=race.or_parameter("COLLISION_PENALTY", options.collision_penalty),
        resets=race.or_parameter("NUMBER_OF_RESETS", options.resets),
        continuous=race.is_continuous,
        reset_behind=race.reset_behind_dist,
    )


def tracks_of(race: RaceConfig, options: argparse.Namespace) -> list[Track]:
    """The track that was trained on, or those of WORLD_NAME."""
    trained = Track.from_route(np.load(options.track_file, allow_pickle=False), options.track_name)
    found = []
    for name in race.world_name:
        if name == options.track_name:
            found.append(trained)
        else:
            s3 = make_client(StoreSettings.from_environment()) if name.startswith("s3://") else None
            found.append(load_track(name, s3))
    return found or [trained]


def entrants_of(race: RaceConfig, options: argparse.Namespace, work: Path) -> list[Entrant]:
    """The model at hand, or another checkpoint of its run, and the race's other cars."""
    metadata = ModelMetadata.parse((options.model / METADATA).read_text(encoding="utf-8"))
    graph = options.model / GRAPH
    if race.eval_checkpoint != "best":
        store = ObjectStore(StoreSettings.from_environment())
        iteration = fetch_graph(store, options.run, race.eval_checkpoint, metadata, work / "own")
        print(f"evaluates the model of iteration {iteration}", flush=True)
        graph = work / "own" / GRAPH
    policy = FrozenPolicy(graph, metadata)
    own, *others = race.cars
    entrants = [Entrant(policy.best_actions, metadata, policy.stack_size, own.display_name, own.color, options.run)]
    if others:
        from kuberacer.rollout.rival_models import rival  # OpenVINO: a second that a time trial does without
    for number, car in enumerate(others, 1):
        folder = work / f"rival-{number}"
        settings = StoreSettings.from_environment()
        entrants.append(rival(settings, car.address, "best", folder, car.display_name, car.color))
    return entrants


class Rewards:
    """The reward function, for the traces. Where it fails, 0: it was made for another race perhaps."""

    def __init__(self, options: argparse.Namespace, track: Track, sim: RaceSim):
        site = site_of(json.loads(options.environment.read_text(encoding="utf-8")))
        text = options.reward_file.read_text(encoding="utf-8")
        self.process: Reward | None = None
        try:
            # Compiling takes longer than the few calls that are made here.
            self.process = open_reward(
                text, track, sim.cars, extra_paths=[site] if site else [], objects=sim.values.objects, compile=False,
                seed=options.seed,
            )  # fmt: skip
        except UserError as error:
            print(f"rewards in the trace are 0: {error.cause}", flush=True)

    def __call__(self, values: ParamArrays) -> np.ndarray:
        if self.process is not None:
            try:
                return self.process(values)
            except UserError as error:
                print(f"from here on, rewards in the trace are 0: {error.cause}", flush=True)
                self.process = None
        return np.zeros(values.cars)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self.process is not None:
            self.process.close()


def tell(result: RaceResult, executor_output: Path | None) -> None:
    """The figures for the pipeline's page, and the lines of the log."""
    own = [trial for track in result.tracks for trial in track.cars[0].trials]
    laps = [trial.seconds for trial in own if trial.completed]
    trials = max(len(own), len(laps))
    if executor_output:
        figures = {"laps_completed": len(laps), "trials": trials, **({"best_lap_s": min(laps)} if laps else {})}
        write_metrics(executor_output, "metrics", figures)
    for track in result.tracks:
        if len(result.tracks) > 1:
            print(f"on {track.track}:", flush=True)
        for trial in track.cars[0].trials:
            outcome = "lap completed" if trial.completed else f"{trial.progress:.0f} % of the lap, {trial.status}"
            print(f"trial {trial.trial}: {outcome} in {trial.seconds:.3f} s, {trial.resets} resets", flush=True)
        if len(track.cars) > 1:
            print("\n".join(place(car) for car in track.standings()), flush=True)
    print(f"progress: {len(laps)} of {trials} laps" + (f", best {min(laps):.2f} s" if laps else ""), flush=True)


def place(car: CarResult) -> str:
    behind = "" if car.gap_s is None else f", {car.gap_s:+.3f} s"
    return f"{car.position}. {car.name}: {car.laps} laps in {car.seconds:.3f} s{behind}"


def arguments() -> argparse.Namespace:
    parser = stage_parser(
        "evaluate",
        __doc__ or "",
        "python -m kuberacer.stages.evaluate --model out/latest/model_frozen --track-file track.npy "
        "--track-name kidney --reward-file reward.py --environment environment.json --evaluation-metrics m.json "
        "--simtrace t --video v.mp4 --videos v --race-result r",
    )
    parser.add_argument("--model", type=Path, required=True, help="folder with model.pb and model_metadata.json")
    parser.add_argument("--reward-file", type=Path, required=True, help="for the trace's reward column")
    parser.add_argument("--environment", type=Path, required=True, help="what build_sim_image wrote, JSON")
    parser.add_argument("--track-file", type=Path, required=True, help="route, .npy")
    parser.add_argument("--track-name", required=True)
    parser.add_argument("--race", default="", help="DeepRacer's training YAML, text (default: a time trial)")
    parser.add_argument("--evaluation", default="", help="YAML keys that replace those of --race, text")
    parser.add_argument("--trials", type=int, default=3, help="laps to try (%(default)s)")
    parser.add_argument("--off-track-penalty", type=float, default=5.0, help="seconds (%(default)s)")
    parser.add_argument("--collision-penalty", type=float, default=5.0, help="seconds (%(default)s)")
    parser.add_argument("--resets", type=int, default=10, help="of a trial at most (%(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    simulator = next(iter(given_simulators()), "")
    parser.add_argument(
        "--simulator",
        default=simulator,
        help="host:port of a DeepRacer simulator (default: the first of KUBERACER_SIMULATORS, our own)",
    )
    parser.add_argument("--run", default="", help="whose checkpoints EVAL_CHECKPOINT names")
    parser.add_argument("--evaluation-metrics", type=Path, required=True, metavar="OUTPUT")
    parser.add_argument("--simtrace", type=Path, required=True, metavar="OUTPUT", help="folder")
    parser.add_argument("--video", type=Path, required=True, metavar="OUTPUT", help=".mp4")
    parser.add_argument(
        "--videos", type=Path, required=True, metavar="OUTPUT", help="folder: three views of each trial"
    )
    parser.add_argument(
        "--race-result",
        type=Path,
        required=True,
        metavar="OUTPUT",
        help="folder: race_result.json, all cars' metrics",
    )
    parser.add_argument("--executor-output", type=Path, metavar="OUTPUT", help="KFP's metrics, JSON")
    return parser.parse_args()


if __name__ == "__main__":
    run_main(main)
