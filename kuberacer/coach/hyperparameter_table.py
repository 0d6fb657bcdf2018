"""The reference of hyperparameters: `python -m kuberacer.coach.hyperparameter_table > docs/hyperparameters.md`."""

from kuberacer.coach.hyperparameter_rules import DEEPRACER_KEYS, RULES

HEAD = """# Hyperparameters

A JSON object, as DeepRacer's `hyperparameters.json`; values may be strings. A key that the algorithm does not have, or
a value out of its range, is an error. A file with all of DeepRacer's keys, as its tools write it, works for every
algorithm: what the algorithm does not have is checked and left out. Keys marked * are KubeRacer's own.
clipped_ppo, sac and dqn are chosen with `ALGORITHM`, the others by their [preset](algorithms.md).

This page is written by `python -m kuberacer.coach.hyperparameter_table > docs/hyperparameters.md`.
"""


def table(algorithm: str) -> str:
    """One algorithm's hyperparameters as Markdown."""
    lines = [f"## {algorithm}", "", "| key | default | range | meaning |", "| --- | --- | --- | --- |"]
    for key, rule in sorted(RULES[algorithm].items()):
        name = f"`{key}`" if key in DEEPRACER_KEYS else f"`{key}` *"
        default = "" if rule.default is None else f"{rule.default}"
        lines.append(f"| {name} | {default} | {rule.range_text()} | {rule.meaning} |")
    return "\n".join(lines) + "\n"


def page() -> str:
    return "\n".join([HEAD, *(table(algorithm) for algorithm in RULES)])


if __name__ == "__main__":
    print(page(), end="")
