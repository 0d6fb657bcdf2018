"""Remove old runs from a bucket, by the policy that KUBERACER_KEEP_* give; without --yes it only says which."""

import argparse
import json
import re
import time
from collections.abc import Iterable, Iterator

from kuberacer.errors import run_main
from kuberacer.report.leaderboard import Board
from kuberacer.retention import Candidate, Policy, best_runs, reasons
from kuberacer.settings import StoreSettings
from kuberacer.stages.arguments import stage_parser
from kuberacer.stages.leaderboard import cards_of, update
from kuberacer.store.client import Entry, ObjectStore

RUN = re.compile(r"(?P<run>[^/]+)/(trials/[^/]+/)?(checkpoints/\d{8}\.json|(?P<card>model_card\.json))")
NO_RUNS = {"inputs", "contexts", "leaderboards", "argo"}


def main() -> None:
    options = arguments()
    policy = Policy.from_environment()
    store = ObjectStore(StoreSettings.from_environment())
    cards = list(cards_of(store))
    entries = json.loads(Board.of(cards).to_json())["entries"]
    runs = list(candidates(store, policy, best_runs(entries, policy.best)))
    print(policy.line())
    kept = reasons(runs, policy, time.time())
    going = [run for run in runs if not kept[run.name]]
    for run in sorted(runs, key=lambda run: run.changed):
        verdict = f"kept: {kept[run.name]}" if kept[run.name] else "removed" if options.yes else "would be removed"
        print(f"{store.address(run.name)}/  {run.size / (1 << 30):.2f} GiB  {verdict}", flush=True)
        if options.yes and not kept[run.name]:
            store.delete_prefix(f"{run.name}/")
    if options.yes and any(run.published for run in going):
        update(store, *boards(store))
    freed = sum(run.size for run in going) / (1 << 30)
    print(f"{len(going)} of {len(runs)} runs, {freed:.2f} GiB{'' if options.yes else ', would go: --yes removes them'}")


def candidates(store: ObjectStore, policy: Policy, best: dict[str, str]) -> Iterator[Candidate]:
    """The folders of the bucket that hold checkpoints or a model card."""
    now = time.time()
    for name in store.folders():
        if name in NO_RUNS:
            continue
        entries = list(store.entries(f"{name}/"))
        found = [match for entry in entries if (match := RUN.fullmatch(entry.key))]
        if found:
            changed = _changed(entries)
            published = any(match["card"] for match in found)
            size = sum(entry.size for entry in entries)
            going = now - changed < policy.quiet_hours * 3600  # a bucket does not say
            yield Candidate(name, changed, size, published, best.get(name, ""), going)


def _changed(entries: Iterable[Entry]) -> float:
    return max(entry.modified for entry in entries)


def boards(store: ObjectStore) -> list[str]:
    """Names of all leaderboards that were made in the bucket."""
    names = [""]
    for key in store.list("leaderboards/"):
        if key.endswith("/leaderboard.json"):
            names.append(str(json.loads(store.get_bytes(key))["leaderboard"]))
    return list(dict.fromkeys(names))


def arguments() -> argparse.Namespace:
    parser = stage_parser("prune_runs", __doc__ or "", "python -m kuberacer.stages.prune_runs --yes")
    parser.add_argument("--yes", action="store_true", help="remove them")
    return parser.parse_args()


if __name__ == "__main__":
    run_main(main)
