"""From an iteration's fragments to what learner, metrics and sim trace take."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from kuberacer.coach.segment import Segment
from kuberacer.coach.sensors import Observation, arrays, joined
from kuberacer.rollout.episodes import Episode
from kuberacer.rollout.fragment import Fragment
from kuberacer.rollout.frame_stack import FrameStack, channels_last
from kuberacer.rollout.intake import chains
from kuberacer.rollout.trace import in_order
from kuberacer.sim.camera_noise import CameraNoise
from kuberacer.sim.episode import STATUS_NAMES


def as_seen(fragment: Fragment) -> Fragment:
    """With the camera's noise in the frames."""
    if fragment.noise_seed is None or fragment.noise_episode is None or fragment.noise_step is None:
        return fragment
    noise = CameraNoise(fragment.noise_seed)
    drawn = zip(fragment.frames, fragment.noise_episode, fragment.noise_step, strict=True)
    frames = np.stack([noise.spoil(*row) for row in drawn])
    return replace(fragment, frames=frames, noise_seed=None, noise_episode=None, noise_step=None)


def observations(fragment: Fragment) -> tuple[Observation, list[tuple[int, np.ndarray, Observation]]]:
    """What the cars saw (T + 1, M, …), and what they saw last in cut episodes as (step, cars, observation)."""
    stacks, finals = frame_stacks(as_seen(fragment))
    if fragment.lidar is None or fragment.final_lidar is None:
        return stacks, [(row, cars_of(fragment, places), last) for row, places, last in finals]
    scans = fragment.final_lidar
    return (stacks, fragment.lidar), [
        (row, cars_of(fragment, places), (last, scans[places])) for row, places, last in finals
    ]


def cars_of(fragment: Fragment, places: list[int]) -> np.ndarray:
    return fragment.final_at[places, 1]


def frame_stacks(fragment: Fragment) -> tuple[np.ndarray, list[tuple[int, list[int], np.ndarray]]]:
    """The frame stacks (T + 1, M, 120, 160, views · depth), and the last ones of cut episodes: (step, places in
    `finals`, stacks)."""
    cut: dict[int, list[int]] = {}
    for place, row in enumerate(fragment.final_at[:, 0].tolist()):
        cut.setdefault(row, []).append(place)
    newest, last = channels_last(fragment.frames), channels_last(fragment.finals)
    if fragment.depth == 1:
        return newest, [(row, places, last[places]) for row, places in cut.items()]
    stacks = np.empty((*newest.shape[:-1], fragment.views * fragment.depth), np.uint8)
    stack = FrameStack(fragment.frames[0], fragment.depth)
    stack.observations = np.concatenate([fragment.history, newest[0]], axis=-1)
    stacks[0] = stack.observations
    done, finals = fragment.terminated | fragment.truncated, []
    for row in range(fragment.time):
        if row in cut:
            older = stack.observations[cars_of(fragment, cut[row])][..., fragment.views :]
            finals.append((row, cut[row], np.concatenate([older, last[cut[row]]], axis=-1)))
        stack.push(fragment.frames[row + 1], done[row])
        stacks[row + 1] = stack.observations
    return stacks, finals


def joins(one: Fragment, other: Fragment) -> bool:
    """Whether the second goes on where the first ends."""
    return one.cars == other.cars and one.shapes == other.shapes


def segments(fragments: list[Fragment]) -> list[Segment]:
    """One segment a chain of consecutive fragments of a worker: advantages flow from each back into the one before."""
    return [_segment(chain) for chain in chains(fragments, joins)]


def _segment(chain: list[Fragment]) -> Segment:
    seen, finals, start = [], [], 0
    for fragment in chain:
        stacks, ends = observations(fragment)
        # What a fragment ends with is what the next one begins with.
        seen.append([array if fragment is chain[-1] else array[:-1] for array in arrays(stacks)])
        finals += [(start + row, cars, last) for row, cars, last in ends]
        start += fragment.time

    def in_a_row(name: str) -> np.ndarray:
        parts = [getattr(fragment, name) for fragment in chain]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    return Segment(
        seen=joined(tuple(same[0] if len(same) == 1 else np.concatenate(same) for same in zip(*seen, strict=True))),
        finals=finals,
        deviation=None if chain[0].deviation is None else in_a_row("deviation"),
        **{name: in_a_row(name) for name in ("actions", "policy", "rewards", "terminated", "truncated")},
    )


@dataclass
class PlayedElsewhere:
    """Steps of an iteration for the sim trace: rows of TraceRecorder.FIELDS (n,), actions (n, …)."""

    rows: np.ndarray
    actions: np.ndarray

    def in_order(self) -> Iterator[tuple[np.void, np.ndarray]]:
        return in_order(self.rows, self.actions)


@dataclass
class Episodes:
    """Numbers episodes over the whole run: workers number their own."""

    next: int = 0
    _numbers: dict[tuple[str, int], int] = field(default_factory=dict)

    def number(self, worker: str, episode: int) -> int:
        found = self._numbers.get((worker, episode))
        if found is None:
            found = self._numbers[worker, episode] = self.next
            self.next += 1
        return found

    def of(self, fragments: list[Fragment]) -> tuple[list[Episode], PlayedElsewhere]:
        """The episodes that ended in the fragments, and all their steps."""
        ended, rows, gone = [], [], []
        ordered = sorted(fragments, key=lambda f: (f.tag.worker, f.tag.sequence))
        for fragment in ordered:
            worker = fragment.tag.worker
            steps = fragment.trace.ravel().copy()
            for own in np.unique(steps["episode"]).tolist():
                steps["episode"][fragment.trace.ravel()["episode"] == own] = self.number(worker, own)
            rows.append(steps)
            for end in fragment.ends:
                gone.append((worker, int(end["number"])))
                ended.append(
                    Episode(
                        number=self.number(*gone[-1]),
                        reward=float(end["reward"]),
                        steps=int(end["steps"]),
                        progress=float(end["progress"]),
                        status=STATUS_NAMES[end["status"]],
                        sim_seconds=float(end["sim_seconds"]),
                        started=float(end["started"]),
                    )
                )
        for place in gone:
            self._numbers.pop(place, None)
        actions = [f.actions.reshape(f.steps, *f.actions.shape[2:]) for f in ordered]
        return ended, PlayedElsewhere(np.concatenate(rows), np.concatenate(actions))
