"""Publish a policy of any environment: the model folder with policy.json, the model card, all of it into the store."""

import argparse
import json
import shutil
import tarfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from kuberacer.coach.environment_model import EnvironmentModel
from kuberacer.errors import run_main
from kuberacer.formats.policy import FILENAME as POLICY
from kuberacer.formats.policy import of_run
from kuberacer.report import took as taken
from kuberacer.report.model_card import digest
from kuberacer.settings import StoreSettings
from kuberacer.stages.arguments import stage_parser
from kuberacer.stages.freeze_environment import drawn, policy_file, read_model
from kuberacer.store.client import ObjectStore

INPUTS = (
    "model", "checkpoint", "checks", "history", "intermediate", "reward-plot", "summary", "evaluation-metrics",
    "evaluation-gifs",
)  # fmt: skip
EXAMPLES = 3
NAMES = {"rl_coach": "rl_coach's", "rllib": "RLlib's"}


def main() -> None:
    options = arguments()
    model = read_model(options.model)
    card = describe(options, model)
    make_model_folder(options, model)
    write(options.model_card_json, json.dumps(card, indent=1) + "\n")
    write(options.model_card, markdown(card))
    make_output(options)
    upload(options)
    print(f"published {options.run}: return {card['results']['mean_return']:.1f}", flush=True)


def describe(options: argparse.Namespace, model: EnvironmentModel) -> dict[str, Any]:
    """The model card's contents."""
    summary, results, checks = (
        json.loads(path.read_text(encoding="utf-8"))
        for path in (options.summary, options.evaluation_metrics, options.checks)
    )
    preset = options.checkpoint / "preset.py"
    return {
        "run": options.run,
        "environment": model.environment,
        "framework": framework(options.model),
        "algorithm": model.algorithm,
        "seed": options.seed,
        "results": {**results, "steps": summary["steps"], "training_s": summary["seconds"]},
        "published_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "hyperparameters": json.loads((options.checkpoint / "hyperparameters.json").read_text(encoding="utf-8")),
        "preset": preset.read_text(encoding="utf-8") if preset.exists() else None,
        "metadata": model.model_dump(),
        "checks": checks["max_difference"],
        "took": taken.took(options.took),
        "digests": {name: digest(getattr(options, name.replace("-", "_"))) for name in INPUTS},
    }


def make_model_folder(options: argparse.Namespace, model: EnvironmentModel) -> None:
    """The checkpoint, the frozen graph, environment.json, and policy.json with examples of what the graph does."""
    folder: Path = options.model_folder
    for source in (options.checkpoint, options.model):
        shutil.copytree(source, folder, dirs_exist_ok=True)
    frozen = (options.model / POLICY).read_text(encoding="utf-8")
    if json.loads(frozen)["examples"]:  # the stage that froze it has played them
        write(folder / POLICY, of_run(frozen, options.run))
        return
    from kuberacer.coach.frozen_policy import FrozenPolicy  # not at the top: only rl_coach's policies need TensorFlow

    raw = drawn(model, 1 if model.observation.dtype == "uint8" else EXAMPLES)  # a frame is 60,000 numbers
    policy = FrozenPolicy(options.model / "model.pb", model, threads=1)
    try:
        actions = model.decode(policy.best_actions(model.normalised(raw)))
    finally:
        policy.close()
    examples = tuple(
        {"observation": np.asarray(seen).tolist(), "action": np.asarray(action).tolist()}
        for seen, action in zip(raw, actions, strict=True)
    )
    write(folder / POLICY, replace(policy_file(model, options.run), examples=examples).to_json())


def framework(model: Path) -> str:
    return str(json.loads((model / POLICY).read_text(encoding="utf-8"))["framework"])


def make_output(options: argparse.Namespace) -> None:
    """output.tar.gz as a training job leaves it: checkpoint/ and intermediate/."""
    options.output.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(options.output, "w:gz") as archive:
        archive.add(options.checkpoint, "data/checkpoint")
        archive.add(options.intermediate, "intermediate")


def upload(options: argparse.Namespace) -> None:
    store = ObjectStore(StoreSettings.from_environment())
    places = {
        "model": options.model_folder,
        "output/intermediate": options.intermediate,
        "output/output.tar.gz": options.output,
        "metrics/evaluation_metrics.json": options.evaluation_metrics,
        "evaluation/gifs": options.evaluation_gifs,
        "reward_plot.png": options.reward_plot,
        "model_card.md": options.model_card,
        "model_card.json": options.model_card_json,
    }
    for name, path in places.items():
        for file in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
            below = f"/{file.relative_to(path).as_posix()}" if path.is_dir() else ""
            store.put_file(f"{options.run}/{name}{below}", file)


def markdown(card: dict[str, Any]) -> str:
    results = card["results"]
    made_by = f"{NAMES[card['framework']]} {card['algorithm']}"
    lines = [
        f"# Model card: {card['run']}",
        "",
        f"A policy for {card['environment']}, trained with {made_by}, seed {card['seed']}.",
        "",
        "| | |",
        "| --- | --- |",
        f"| return | {results['mean_return']:.2f} ± {results['std_return']:.2f} over {results['episodes']} episodes |",
        f"| lowest, highest | {results['min_return']:.2f}, {results['max_return']:.2f} |",
        f"| steps an episode | {results['mean_length']:.0f} |",
        f"| training | {results['steps']:,} steps, {results['training_s']:.0f} s |",
        f"| took until it was published | {card['took']['total']['core_hours_used']:.3f} core-hours |",
        "",
        "## Frozen graph",
        "",
        "Largest difference from the trained policy: "
        + ", ".join(f"{name} {difference:.1e}" for name, difference in card["checks"].items()),
        "",
        "## Hyperparameters",
        "",
        "```json",
        json.dumps(card["hyperparameters"], indent=1, sort_keys=True),
        "```",
        "",
        *(["## Preset", "", "```python", card["preset"].rstrip(), "```", ""] if card["preset"] else []),
        "## Digests (sha256)",
        "",
        *(f"- {name}: `{value}`" for name, value in card["digests"].items()),
    ]
    return "\n".join(lines) + "\n"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def arguments() -> argparse.Namespace:
    parser = stage_parser(
        "publish_environment",
        __doc__ or "",
        "make run-pipeline PIPELINE=mountain_car runs it; its log has every argument",
    )
    for name in INPUTS:
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--run", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument(
        "--took", type=Path, action="append", default=[], help="what a stage before took, as its --usage wrote it"
    )
    for name in ("model-folder", "model-card", "model-card-json", "output"):
        parser.add_argument(f"--{name}", type=Path, required=True, metavar="OUTPUT")
    return parser.parse_args()


if __name__ == "__main__":
    run_main(main)
