"""`kuberacer prune`: removes old runs by a policy; shows which, first."""

import fcntl
import json
import time
from collections.abc import Iterator
from pathlib import Path

from kuberacer.errors import UserError
from kuberacer.retention import Candidate, Policy, best_runs, reasons
from kuberacer.run.clean import clean
from kuberacer.run.leaderboard import make_leaderboard, prune_bucket
from kuberacer.run.store import external_store
from kuberacer.run.things import folder_size, size


def prune(out: Path, policy: Policy, sure: bool) -> None:
    """Say what the policy keeps and what it lets go; sure: remove that, each as `clean` does.

    Then the same for the bucket of KUBERACER_S3_BUCKET, which holds runs of other folders, too. Raises UserError at
    the end when some could not be removed.
    """
    runs = list(candidates(out, policy.best))
    kept = reasons(runs, policy, time.time())
    print(policy.line())
    for run in sorted(runs, key=lambda run: run.changed):
        verdict = f"kept: {kept[run.name]}" if kept[run.name] else "goes" if sure else "would go"
        print(f"{out / run.name}  {size(1, run.size, 'folder')}  {verdict}", flush=True)
    going = [run for run in runs if not kept[run.name]]
    failures = _removed(out, going) if sure else []
    print(f"{len(going)} of {len(runs)} runs{'' if sure or not going else ' would go: YES=1 (--yes) removes them'}")
    if external_store()[0] is not None:
        print("\n".join(prune_bucket(sure)))
    if failures:
        raise UserError(
            f"{len(failures)} of {len(going)} runs were not removed: {failures[0].cause}", failures[0].remedy
        )


def _removed(out: Path, going: list[Candidate]) -> list[UserError]:
    """Remove them; returns what went wrong, such as a cluster that is away."""
    failures = []
    for run in going:
        try:
            clean(out, run.name, sure=True)
        except UserError as error:
            print(error, flush=True)
            failures.append(error)
    return failures


def candidates(out: Path, places: int) -> Iterator[Candidate]:
    """The runs that have a folder in OUT."""
    folders = [path.parent for path in sorted(out.glob("*/run.json")) if not path.parent.is_symlink()]
    cards = [folder for folder in folders if (folder / "model_card.json").exists()]
    best = _best(out, places) if cards and places else {}
    for folder in folders:
        changed = (folder / "run.json").stat().st_mtime
        going = _held(folder) or _submitted(folder)
        yield Candidate(folder.name, changed, folder_size(folder)[1], folder in cards, best.get(folder.name, ""), going)


def _best(out: Path, places: int) -> dict[str, str]:
    make_leaderboard(out, "", of_folder=True)
    board = json.loads((out / "leaderboard" / "leaderboard.json").read_text(encoding="utf-8"))
    return best_runs(board["entries"], places)


def _held(folder: Path) -> bool:
    """Whether a command has the run."""
    with (folder / ".lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _submitted(folder: Path) -> bool:
    """Whether it was left to itself on a cluster: nobody here knows how far it is."""
    try:
        return json.loads((folder / "run.json").read_text(encoding="utf-8")).get("status") == "submitted"
    except (ValueError, AttributeError):
        return True  # what does not read is left alone
