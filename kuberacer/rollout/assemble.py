"""From an iteration's fragments to what learner, metrics and sim trace take."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from kuberacer.coach.segment import Segment
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


def observations(fragment: Fragment) -> tuple[np.ndarray, list[tuple[int, np.ndarray, np.ndarray]]]:
    """The stacks (T + 1, M, 120, 160, views * depth), and the last ones of cut episodes as (step, cars, stacks)."""
    fragment = as_seen(fragment)
    cut: dict[int, list[int]] = {}
    for place, row in enumerate(fragment.final_at[:, 0].tolist()):
        cut.setdefault(row, []).append(place)
    if fragment.depth == 1:
        finals = [(row, fragment.final_at[p, 1], channels_last(fragment.finals[p])) for row, p in cut.items()]
        return channels_last(fragment.frames), finals
    newest = channels_last(fragment.frames)
    stacks = np.empty((*newest.shape[:-1], fragment.views * fragment.depth), np.uint8)
    stack = FrameStack(fragment.frames[0], fragment.depth)
    stack.observations = np.concatenate([fragment.history, newest[0]], axis=-1)
    stacks[0] = stack.observations
    done, finals = fragment.terminated | fragment.truncated, []
    for row in range(fragment.time):
        if row in cut:
            places = cut[row]
            cars = fragment.final_at[places, 1]
            older = stack.observations[cars][..., fragment.views :]
            finals.append((row, cars, np.concatenate([older, channels_last(fragment.finals[places])], axis=-1)))
        stack.push(fragment.frames[row + 1], done[row])
        stacks[row + 1] = stack.observations
    return stacks, finals


def joins(one: Fragment, other: Fragment) -> bool:
    """Whether the second goes on where the first ends."""
    return one.frames.shape[1:] == other.frames.shape[1:] and one.depth == other.depth


def segments(fragments: list[Fragment]) -> list[Segment]:
    """One segment a chain of consecutive fragments of a worker: advantages flow from each back into the one before."""
    return [_segment(chain) for chain in chains(fragments, joins)]


def _segment(chain: list[Fragment]) -> Segment:
    frames, finals, start = [], [], 0
    for fragment in chain:
        stacks, ends = observations(fragment)
        # What a fragment ends with is what the next one begins with.
        frames.append(stacks if fragment is chain[-1] else stacks[:-1])
        finals += [(start + row, cars, last) for row, cars, last in ends]
        start += fragment.time

    def joined(name: str) -> np.ndarray:
        parts = [getattr(fragment, name) for fragment in chain]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    return Segment(
        frames=frames[0] if len(frames) == 1 else np.concatenate(frames),
        finals=finals,
        deviation=None if chain[0].deviation is None else joined("deviation"),
        **{name: joined(name) for name in ("actions", "policy", "rewards", "terminated", "truncated")},
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
