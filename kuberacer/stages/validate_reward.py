"""Stage 1: does the reward function do what a reward function must, on this track?

The function runs in a child process with limits (memory, CPU seconds, no network, no files, no other programs). It is
tried on laps on the centre line, at the borders, off the road, reversed and among objects. A fault ends the stage with
file, line and cause.
"""

import argparse
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kuberacer.errors import UserError, run_main
from kuberacer.formats.race_config import RaceConfig
from kuberacer.formats.reward_document import RewardDocument, is_document
from kuberacer.reward.source import DEFAULT_IMPORTS, RewardSource
from kuberacer.stages.arguments import stage_parser
from kuberacer.stages.reward_input import read_reward

if TYPE_CHECKING:
    from kuberacer.reward.trial import Trial
    from kuberacer.sim.track import Track


def main() -> None:
    options = arguments()
    text, name = read_reward(options.reward)
    allowed, folder = check_source(text, name, options)
    race = RaceConfig.parse(options.race, "training")
    evaluation = RaceConfig.for_evaluation(options.race, options.evaluation)
    # Not at the top: the checks above answer at once.
    from kuberacer.reward.trial import RewardTrial
    from kuberacer.sim.track import load_track

    (route,) = race.or_parameter("WORLD_NAME", (options.track,))
    track = load_track(route, s3_client(route))
    objects, others = check_races(race, evaluation, track)
    with RewardTrial(text, track, name, allowed, [folder] if folder else [], objects, others) as trial:
        found = trial.drive()
        with ThreadPoolExecutor(1) as beside:
            compiling = beside.submit(trial.compile)
            title = f"{name} on {track.name}"
            picture = draw(found, track, title) if options.reward_map or options.reward_map_png else b""
            with compiling.result() as process:
                path, why_plain = process.path, process.why_plain
    how = how_it_runs(path, why_plain, found.call_us)
    facts = summary(found, how)
    write_outputs(options, text, track, picture, page(options, found, picture, title, facts))
    print(f"{title}: " + "; ".join(f"{key} {value}" for key, value in facts), flush=True)


def arguments() -> argparse.Namespace:
    parser = stage_parser(
        "validate_reward", __doc__, "python -m kuberacer.stages.validate_reward --reward my_reward.py --track hairpin"
    )
    parser.add_argument("--reward", required=True, help="text, path or s3:// address: Python, or a reward.yaml")
    parser.add_argument("--track", required=True, help="own track's name, path of a .npy or folder, or s3:// address")
    parser.add_argument("--race", default="", help="DeepRacer's training YAML, text (default: a time trial)")
    parser.add_argument("--evaluation", default="", help="YAML keys that replace those of --race, text")
    parser.add_argument("--allowed-imports", default="", help="more modules that it may import, separated by commas")
    parser.add_argument("--requirements", default="", help="pip requirement lines of what it imports")
    outputs = parser.add_argument_group("outputs (each optional)")
    outputs.add_argument("--reward-file", type=Path, help="the reward: Python source, or a reward.json with its files")
    outputs.add_argument("--track-file", type=Path, help="the track's route (.npy)")
    outputs.add_argument("--track-name", type=Path, help="file for the track's name")
    outputs.add_argument("--reward-map", type=Path, help="the reward over the track, a page (HTML)")
    outputs.add_argument("--reward-map-png", type=Path, help="the same as a picture")
    return parser.parse_args()


def check_source(text: str, name: str, options: argparse.Namespace) -> tuple[frozenset[str], Path | None]:
    """(what a Python reward may import, the folder with its modules): what can be seen without running anything, before
    the slower imports. Raises UserError."""
    if is_document(text):
        for what in ("requirements", "allowed_imports"):
            if getattr(options, what).strip():
                language = RewardDocument.parse(text, name).language
                raise UserError(
                    f"{what} is given, and {name} is a reward in {language}",
                    f"leave out {what}; what the program needs comes with its files or lies in the image",
                )
        return frozenset(), None
    modules, folder = extra_modules(options.requirements)
    more = {module.strip().partition(".")[0] for module in options.allowed_imports.split(",") if module.strip()}
    allowed = DEFAULT_IMPORTS | more | modules
    RewardSource.check(text, name, allowed)
    return allowed, folder


def how_it_runs(path: str, why_plain: str, call_us: float) -> str:
    if path == "compiled":
        return path
    what = "plain Python" if path == "plain" else path
    return f"{what}, {call_us:.1f} µs a call" + (f" ({why_plain})" if why_plain else "")


def check_races(race: RaceConfig, evaluation: RaceConfig, track: "Track") -> tuple[int, set[int]]:
    """How many objects a car meets in the training, and which other numbers the reward is to do with, too.

    Raises UserError when the objects of one of the races do not fit on its track, or a rival is not there."""
    from kuberacer.reward.trial import OBJECTS
    from kuberacer.rollout.race_rules import scene_of
    from kuberacer.sim.track import load_track

    trained, evaluated = scene_of(race), scene_of(evaluation)
    trained.check(track)
    elsewhere = evaluation.world_name if evaluation.world_name != race.world_name else ()
    for route in [load_track(name, s3_client(name)) for name in elsewhere] or [track]:
        evaluated.check(route)
    check_rivals(race, evaluation)
    # A reward for time trials only is to be of use in other races later.
    return trained.objects, {evaluated.objects or (0 if trained.objects else OBJECTS)}


def check_rivals(race: RaceConfig, evaluation: RaceConfig) -> None:
    """Raises UserError when a race's other models are not in the store."""
    wanted = {car.address for car in (*race.cars[1:], *evaluation.cars[1:])}
    if wanted and os.environ.get("KUBERACER_S3_BUCKET"):  # a check of the reward alone has no store
        from kuberacer.rollout.model_files import check_model
        from kuberacer.settings import StoreSettings

        for address in sorted(wanted):
            check_model(StoreSettings.from_environment(), address, "best")


def s3_client(track: str) -> Any:
    """A client when the track is in the store, else None."""
    if not track.startswith("s3://"):
        return None
    from kuberacer.settings import StoreSettings
    from kuberacer.store.client import make_client

    return make_client(StoreSettings.from_environment())


def extra_modules(requirements: str) -> tuple[set[str], Path | None]:
    """(names of the modules that the requirement lines bring, the folder that they are in)."""
    if not requirements.strip():
        return set(), None
    from kuberacer.reward.extra_modules import install, module_names

    folder = install(requirements)
    return module_names(requirements, folder), folder


def draw(found: "Trial", track: "Track", title: str) -> bytes:
    from kuberacer.report.reward_map import draw_reward_map

    return draw_reward_map(found, track, title)


def summary(found: "Trial", how: str) -> list[tuple[str, str]]:
    rewards = found.all
    facts = [
        ("min", f"{rewards.min():.3f}"),
        ("mean", f"{rewards.mean():.3f}"),
        ("max", f"{rewards.max():.3f}"),
        ("states", f"{rewards.size:,}"),
        ("runs", how),
        ("limits", ", ".join(found.limits) or "only Python's own"),
    ]
    if rewards.min() == rewards.max():
        facts.append(("warning:", "the same everywhere; nothing can be learned from it"))
    return facts


def page(options: argparse.Namespace, found: "Trial", picture: bytes, title: str, facts: list[tuple[str, str]]) -> str:
    if options.reward_map is None:
        return ""
    from kuberacer.report.reward_map import reward_page

    return reward_page(picture, found, title, facts)


def write_outputs(options: argparse.Namespace, text: str, track: "Track", picture: bytes, html: str) -> None:
    outputs = [
        (options.reward_file, text.encode()),
        (options.track_name, track.name.encode()),
        (options.reward_map, html.encode()),
        (options.reward_map_png, picture),
        (options.track_file, _route_file(track)),
    ]
    for path, data in outputs:
        if path is not None:
            os.makedirs(path.parent, exist_ok=True)
            path.write_bytes(data)


def _route_file(track: "Track") -> bytes:
    import io

    import numpy as np

    buffer = io.BytesIO()
    np.save(buffer, track.route())
    return buffer.getvalue()


if __name__ == "__main__":
    run_main(main)
