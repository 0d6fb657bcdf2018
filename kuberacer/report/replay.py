"""A reward function replayed over the steps of old traces: what it would have given for the same driving."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy import stats

from kuberacer.errors import UserError
from kuberacer.report.replay_params import TracedSteps
from kuberacer.reward.process import RewardProcess
from kuberacer.reward.source import RewardSource
from kuberacer.sim.params import ALL_KEYS, ParamArrays, array_keys
from kuberacer.sim.track import Track

LANES, LANES_THAT_REMEMBER = 512, 64  # steps of one call; each of the latter has a copy of the module
COMPILE_FROM = 200_000  # steps: fewer are called sooner than the function is compiled
TIMEOUT_S = 60.0  # of one call: as long for a step as a training of many cars gives
SAY_S = 2.0  # between two lines of progress


@dataclass(frozen=True)
class Episodes:
    """One entry an episode (e,): the arrays of a table. old, new: returns."""

    number: np.ndarray
    iteration: np.ndarray  # in which it ended
    steps: np.ndarray
    progress: np.ndarray
    status: np.ndarray
    old: np.ndarray
    new: np.ndarray

    def __len__(self) -> int:
        return len(self.number)

    @cached_property
    def rank_old(self) -> np.ndarray:
        """1 is the episode of the highest return; equal ones share the mean of their ranks."""
        return stats.rankdata(-self.old)

    @cached_property
    def rank_new(self) -> np.ndarray:
        return stats.rankdata(-self.new)


@dataclass(frozen=True)
class Replay:
    """table: the steps (n,) of COLUMNS; episode (n,): numbers from 0; old, new (n,): recorded and replayed rewards."""

    table: np.ndarray
    episode: np.ndarray
    old: np.ndarray
    new: np.ndarray
    path: str  # compiled or plain
    remembers: bool  # whether the function may keep things between calls

    @cached_property
    def episodes(self) -> Episodes:
        """Those of which the traces hold both the first step and the last one, in the order in which they ended."""
        count = int(self.episode.max()) + 1
        order = np.lexsort((np.arange(len(self.episode)), self.episode))
        last = order[np.append(np.flatnonzero(np.diff(self.episode[order])), len(order) - 1)]
        first = order[np.append(0, np.flatnonzero(np.diff(self.episode[order])) + 1)]
        whole = np.flatnonzero((self.table["steps"][first] == 1) & self.table["done"][last])
        whole = whole[np.argsort(last[whole], kind="stable")]
        ends = self.table[last[whole]]
        returns = [np.bincount(self.episode, rewards, count)[whole] for rewards in (self.old, self.new)]
        return Episodes(
            ends["episode"], ends["iteration"], ends["steps"], ends["progress"], ends["episode_status"], *returns
        )


def replay(
    steps: TracedSteps,
    text: str,
    track: Track,
    *,
    name: str,
    allowed_imports: Iterable[str],
    extra_paths: Sequence[str | Path] = (),
    say: Callable[[str], None] = lambda line: None,
) -> Replay:
    """Call a reward function for every step, in its limited process. say: takes lines of progress.

    A function that may remember things is called once for each step, episode by episode, with a memory of its own for
    each of some cars; the episodes that one car drove in the training are not known. Raises UserError when the function
    fails, or reads what the traces do not tell.
    """
    source = RewardSource.check(text, name, frozenset(allowed_imports))
    check_keys(source, steps)
    new = np.empty(len(steps.table))
    if source.stateless:
        rounds = list(in_lanes(steps.episode, LANES, whole=False))
    else:
        rounds = list(in_lanes(steps.episode, LANES_THAT_REMEMBER, whole=True))
    lanes = len(rounds[0])
    with RewardProcess(
        text, track, lanes, name=name, allowed_imports=allowed_imports, extra_paths=extra_paths, objects=steps.objects,
        timeout_s=TIMEOUT_S, compile=len(new) >= COMPILE_FROM,
    ) as process:  # fmt: skip
        values = ParamArrays.allocate(track, lanes, objects=steps.objects)
        keys = [key for key in array_keys(steps.objects) if source.keys is None or key in source.keys]
        keys += [key for key in ("is_reversed", "steps") if key not in keys]
        spoke = time.monotonic()
        for number, index in enumerate(rounds):
            # A lane without a step repeats the last one; what it gives is nobody's.
            steps.batch(values, np.maximum(index, 0), keys)
            rewards = process(values)
            new[index[index >= 0]] = rewards[index >= 0]
            if time.monotonic() - spoke > SAY_S:
                spoke = time.monotonic()
                say(f"replayed {100 * (number + 1) // len(rounds)} % of {len(new):,} steps")
        return Replay(steps.table, steps.episode, steps.table["reward"], new, process.path, not source.stateless)


def check_keys(source: RewardSource, steps: TracedSteps) -> None:
    """Raises UserError when the function reads, or may read, what the traces do not tell."""
    read = ALL_KEYS if source.keys is None else source.keys
    missing = [key for key in read if key in steps.missing]
    if missing:
        reads = f"reads {', '.join(missing)}" if source.keys is not None else f"may read {missing[0]} and any other key"
        raise UserError(
            f"{source.name} {reads}, which the traces of this run do not tell: {steps.missing[missing[0]]}",
            "replay it over a run whose objects stand still, or try it in a training",
        )


def in_lanes(episode: np.ndarray, lanes: int, whole: bool) -> Iterator[np.ndarray]:
    """Which steps are called together: (lanes,) indices, -1 where a lane has none.

    whole: an episode's steps come one after the other in one lane; otherwise any steps do.
    """
    if not whole:
        padded = np.full(-(-len(episode) // lanes) * lanes, -1)
        padded[: len(episode)] = np.arange(len(episode))
        yield from padded.reshape(-1, lanes)
        return
    order = np.lexsort((np.arange(len(episode)), episode))
    parts = np.split(order, np.flatnonzero(np.diff(episode[order])) + 1)
    queues: list[list[np.ndarray]] = [[] for _ in range(min(lanes, len(parts)))]
    lengths = np.zeros(len(queues), np.int64)
    for part in parts:
        lane = int(lengths.argmin())
        queues[lane].append(part)
        lengths[lane] += len(part)
    table = np.full((int(lengths.max()), len(queues)), -1)
    for lane, queue in enumerate(queues):
        table[: lengths[lane], lane] = np.concatenate(queue)
    yield from table


def correlations(old: np.ndarray, new: np.ndarray) -> tuple[float, float]:
    """(Pearson's, Spearman's) correlation; NaN where one of them is the same everywhere."""
    if len(old) < 2 or np.ptp(old) == 0 or np.ptp(new) == 0:
        return np.nan, np.nan
    return float(stats.pearsonr(old, new).statistic), float(stats.spearmanr(old, new).statistic)


ITERATION_COLUMNS = {  # in the CSV file: on the page
    "iteration": "iteration", "steps": "steps", "episodes": "episodes", "mean_old": "reward a step, old",
    "mean_new": "new", "correlation": "correlation", "return_old": "return, old", "return_new": "new",
    "rank_correlation": "rank correlation",
}  # fmt: skip


def by_iteration(replayed: Replay) -> list[list[float]]:
    """Rows under ITERATION_COLUMNS: means, Pearson's correlation of the steps, Spearman's of the returns."""
    rows = []
    for iteration in np.unique(replayed.table["iteration"]).tolist():
        steps = replayed.table["iteration"] == iteration
        ended = replayed.episodes.iteration == iteration
        old, new = replayed.old[steps], replayed.new[steps]
        returns = replayed.episodes.old[ended], replayed.episodes.new[ended]
        means = [float(part.mean()) if len(part) else np.nan for part in returns]
        rows.append(
            [iteration, int(steps.sum()), int(ended.sum()), float(old.mean()), float(new.mean()),
             correlations(old, new)[0], *means, correlations(*returns)[1]]
        )  # fmt: skip
    return rows


def write_csvs(replayed: Replay, folder: Path) -> None:
    """steps.csv, episodes.csv and iterations.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    table, episodes = replayed.table, replayed.episodes
    _write(
        folder / "steps.csv",
        ["iteration", "episode", "steps", "x", "y", "progress", "old", "new"],
        [table["iteration"], table["episode"], table["steps"], table["x"], table["y"], table["progress"],
         replayed.old, replayed.new],
    )  # fmt: skip
    _write(
        folder / "episodes.csv",
        ["episode", "iteration", "steps", "progress", "status", "old", "new", "rank_old", "rank_new"],
        [episodes.number, episodes.iteration, episodes.steps, episodes.progress, episodes.status, episodes.old,
         episodes.new, episodes.rank_old, episodes.rank_new],
    )  # fmt: skip
    columns = [np.array(column) for column in zip(*by_iteration(replayed), strict=True)]
    _write(folder / "iterations.csv", list(ITERATION_COLUMNS), columns)


def _write(path: Path, header: list[str], columns: list[np.ndarray]) -> None:
    cells = [[f"{value:.6g}" if isinstance(value, float) else str(value) for value in c.tolist()] for c in columns]
    with path.open("w", encoding="utf-8") as file:
        file.write(",".join(header) + "\n")
        file.writelines(",".join(row) + "\n" for row in zip(*cells, strict=True))
