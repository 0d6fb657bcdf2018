"""The model card: what a model is, how it did, and the digests of everything that made it, as JSON and as Markdown."""

import hashlib
from pathlib import Path
from typing import Any


def digest(path: Path) -> str:
    """sha256 hex of a file, or of a folder's names and files in order."""
    total = hashlib.sha256()
    if path.is_file():
        total.update(path.read_bytes())
    else:
        for file in sorted(entry for entry in path.rglob("*") if entry.is_file()):
            total.update(
                file.relative_to(path).as_posix().encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest()
            )
    return total.hexdigest()


def markdown(card: dict[str, Any]) -> str:
    """card: run, track, algorithm, seed, results, hyperparameters, metadata, reward, preset, checks, digests (see
    publish)."""
    results, track = card["results"], card["track"]
    best = f"{results['best_lap_s']:.2f} s" if results["best_lap_s"] is not None else "none"
    lines = [
        f"# Model card: {card['run']}",
        "",
        f"A model that drives {track['name']} ({track['length_m']:.1f} m, {track['width_m']:.2f} m wide), trained with "
        f"{card['algorithm']}, seed {card['seed']}.",
        "",
        *began_with(card),
        "## Results",
        "",
        "| | |",
        "| --- | --- |",
        f"| laps completed | {results['laps_completed']} of {results['trials']} |",
        f"| best lap | {best} |",
        *evaluations(card),
        f"| training | {results['steps']:,} steps, {results['training_s']:.0f} s |",
        f"| took until it was published | {card['took']['total']['core_hours_used']:.3f} core-hours |",
        "",
        "## Intended use",
        "",
        "Driving the simulator or a DeepRacer car on this track or one like it. It has seen only this simulator: "
        "expect a real track to need domain randomisation or more training.",
        "",
        "## Hyperparameters",
        "",
        "| | |",
        "| --- | --- |",
        *(f"| `{name}` | {value} |" for name, value in card["hyperparameters"].items()),
        "",
        "## Reward function",
        "",
        *reward(card),
        "",
        *(["## Preset", "", "```python", card["preset"].rstrip(), "```", ""] if card.get("preset") else []),
        "## The frozen graph, checked",
        "",
        "| runtime | largest difference from the live policy |",
        "| --- | --- |",
        *(f"| {name} | {value:.2g} |" for name, value in card["checks"].items()),
        "",
        "## What made it (sha256)",
        "",
        "| | |",
        "| --- | --- |",
        *(f"| {name} | `{value}` |" for name, value in card["digests"].items()),
        "",
    ]
    return "\n".join(lines)


def reward(card: dict[str, Any]) -> list[str]:
    """The language, the digest and the source. A card of before there were languages is of Python."""
    language = card.get("reward_language", "Python")
    whose = "The server computed it: its code is not known here" if language == "HTTP" else f"In {language}"
    fence = "```python" if language == "Python" else "~~~~text"
    return [
        f"{whose}; sha256 `{card['digests']['reward-file']}`.",
        "",
        fence,
        card["reward"].rstrip(),
        "```" if language == "Python" else "~~~~",
    ]


def began_with(card: dict[str, Any]) -> list[str]:
    """A paragraph about the model that the training began with."""
    told = card.get("pretrained")
    if told is None:
        return []
    state = "weights and optimizer" if told["optimizer_state"] else "weights, a new optimizer"
    return [
        f"It began with `{told['checkpoint']}` of `{told['from']}` ({state}; sha256 of its tensors' file "
        f"`{told['sha256']}`), and counts its iterations on from there.",
        "",
    ]


def evaluations(card: dict[str, Any]) -> list[str]:
    """Rows of the results: each track's race, and the lap that the simulator's limits allow."""
    rows = []
    for found in card.get("evaluations", []):
        place = f", place {found['position']} of {found['cars']}" if found["cars"] > 1 else ""
        lap = "no lap" if found["best_lap_s"] is None else f"best lap {found['best_lap_s']:.2f} s"
        fastest = found["fastest_possible_s"]
        possible = "" if fastest is None else f", {fastest:.2f} s are possible"
        rows.append(f"| {found['race_type']} on {found['track']} | {lap}{possible}{place} |")
    return rows
