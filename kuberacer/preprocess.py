"""What becomes of observations before a policy's network sees them: the list `preprocess` of policy.json.

One step is written as `name` or `name(number, …)`. Rollouts, evaluations, the checks of frozen graphs and servers all
apply this very code, and rl_coach's filters of a preset are turned into it (kuberacer/coach/filters.py). NumPy alone.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from kuberacer.errors import UserError

WRITTEN = re.compile(r"(\w+)(?:\(([^()]*)\))?")
MOST_STEPS = 32
AT_ONCE = 8  # observations; what lies between two steps stays in the processor's cache


def to_float(seen: np.ndarray) -> np.ndarray:
    """Any numbers -> float32."""
    return seen.astype(np.float32)


def to_uint8(seen: np.ndarray, low: float, high: float) -> np.ndarray:
    """low..high -> 0..255 as bytes."""
    return ((seen - low) / (high - low) * 255).astype(np.uint8)


def rgb_to_y(seen: np.ndarray) -> np.ndarray:
    """(N, rows, columns, 3) -> (N, rows, columns): ITU-R BT.601's luma."""
    if seen.ndim != 4 or seen.shape[-1] != 3:
        raise ValueError("frames (rows, columns, 3) are needed")
    red, green, blue = seen[..., 0], seen[..., 1], seen[..., 2]
    return 0.2989 * red + 0.5870 * green + 0.1140 * blue


def crop(seen: np.ndarray, *bounds: float) -> np.ndarray:
    """From and to of each axis behind the first one, in turn; to −1: to its end."""
    pairs = zip(bounds[::2], bounds[1::2], strict=True)
    ranges = [slice(int(low), None if high == -1 else int(high)) for low, high in pairs]
    return seen[(slice(None), *ranges)]


def squeeze(seen: np.ndarray, *axis: float) -> np.ndarray:
    """Without this axis of size 1 (counted without the first one), or without all of them."""
    ones = [i for i in range(1, seen.ndim) if seen.shape[i] == 1]
    return seen.squeeze(tuple(_behind(i) for i in axis) if axis else tuple(ones))


def move_axis(seen: np.ndarray, origin: float, target: float) -> np.ndarray:
    """Axes counted without the first one."""
    return np.moveaxis(seen, _behind(origin), _behind(target))


def add_channel(seen: np.ndarray) -> np.ndarray:
    """(N, rows, columns) -> (N, rows, columns, 1), as networks take frames."""
    return seen[..., None]


def clip(seen: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.clip(seen, low, high)


def sobel(seen: np.ndarray) -> np.ndarray:
    """How steep (N, rows, columns) is, √(Gx² + Gy²) of Sobel's two kernels; the border's pixels go on outside."""
    if seen.ndim != 3:
        raise ValueError("grey frames (rows, columns) are needed")
    wide = np.pad(seen, ((0, 0), (1, 1), (1, 1)), mode="edge")
    down = wide[:, :-2] + 2 * wide[:, 1:-1] + wide[:, 2:]
    across = wide[:, :, :-2] + 2 * wide[:, :, 1:-1] + wide[:, :, 2:]
    return np.sqrt((down[:, :, 2:] - down[:, :, :-2]) ** 2 + (across[:, 2:] - across[:, :-2]) ** 2)


def binarise(seen: np.ndarray, threshold: float) -> np.ndarray:
    """1 above the threshold, else 0, as bytes."""
    return (seen > threshold).astype(np.uint8)


def _behind(axis: float) -> int:
    """An axis of an array as it is with the batch's axis before it."""
    return int(axis) + 1 if axis >= 0 else int(axis)


# {name: (the function, how many numbers it takes at least, at most)}
STEPS: dict[str, tuple[Callable[..., np.ndarray], int, int]] = {
    "to_float": (to_float, 0, 0),
    "to_uint8": (to_uint8, 2, 2),
    "rgb_to_y": (rgb_to_y, 0, 0),
    "crop": (crop, 2, 8),
    "squeeze": (squeeze, 0, 1),
    "move_axis": (move_axis, 2, 2),
    "add_channel": (add_channel, 0, 0),
    "clip": (clip, 2, 2),
    "sobel": (sobel, 0, 0),
    "binarise": (binarise, 1, 1),
}


def written(name: str, *numbers: float) -> str:
    """A step as policy.json has it."""
    return f"{name}({', '.join(f'{number:.17g}' for number in numbers)})" if numbers else name


@dataclass(frozen=True)
class Preprocess:
    """The steps of one list: `Preprocess.parse(steps)(observations)`."""

    steps: tuple[str, ...]
    calls: tuple[tuple[Callable[..., np.ndarray], tuple[float, ...]], ...]

    @classmethod
    def parse(cls, steps: Iterable[str]) -> "Preprocess":
        """Raises UserError naming a step that is not known, or whose numbers are not what it takes."""
        given = tuple(steps)
        if len(given) > MOST_STEPS:
            raise UserError(f"preprocess has {len(given)} steps", f"give at most {MOST_STEPS}")
        return cls(given, tuple(_call(step) for step in given))

    def __call__(self, observations: np.ndarray) -> np.ndarray:
        """What the network sees of (N, …) observations. Raises UserError where they do not fit the steps."""
        given = np.asarray(observations)
        parts = [self._applied(given[start : start + AT_ONCE]) for start in range(0, max(1, len(given)), AT_ONCE)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _applied(self, seen: np.ndarray) -> np.ndarray:
        for step, (function, numbers) in zip(self.steps, self.calls, strict=True):
            try:
                seen = function(seen, *numbers)
            except (ValueError, IndexError) as error:
                raise UserError(
                    f"preprocess: {step} does not take observations of {seen.shape[1:]}: {error}",
                    "mend the preset's filters, or their order",
                ) from None
        return seen

    def shape_of(self, shape: Sequence[int], dtype: str) -> tuple[tuple[int, ...], np.dtype]:
        """(shape, type) of what becomes of an observation."""
        made = self(np.zeros((1, *shape), dtype))
        return made.shape[1:], made.dtype


def _call(step: str) -> tuple[Callable[..., np.ndarray], tuple[float, ...]]:
    found = WRITTEN.fullmatch(step.strip())
    name = found[1] if found else step
    if found is None or name not in STEPS:
        raise UserError(f"preprocess: {step[:80]!r} is not known", f"the steps are: {', '.join(STEPS)}")
    function, least, most = STEPS[name]
    try:
        numbers = tuple(float(word) for word in found[2].split(",")) if found[2] else ()
    except ValueError:
        raise UserError(f"preprocess: {step[:80]!r} has a part that is no number", "write name(number, …)") from None
    if not least <= len(numbers) <= most or (name == "crop" and len(numbers) % 2):
        raise UserError(f"preprocess: {step[:80]!r} has {len(numbers)} numbers", "see kuberacer/preprocess.py")
    return function, numbers
