"""What one worker played: T steps of M cars under one policy, as arrays and as bytes on their way to the trainer.

Bytes: "KRF3", CRC-32 of all that follows, length of the header (both little-endian), the header (JSON), and one
Zstandard frame with the arrays' bytes, one after the other. The header names the arrays of the table below with their
dtype and shape. Reading trusts nothing: lengths, names, dtypes, shapes and the size that the frame would take are
checked before anything is allocated, and a FragmentError is all that damaged bytes can do.
"""

import json
import math
import struct
import zlib
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import zstandard

from kuberacer.rollout.trace import TraceRecorder
from kuberacer.sim.camera import HEIGHT, WIDTH
from kuberacer.sim.episode import STATUS_NAMES
from kuberacer.sim.solid_kernels import OBJECT

MAGIC = b"KRF3"
LEVEL = 1  # 26 bytes a frame of 19,200, 1.4 µs a kilobyte; higher levels save nothing on these pictures
MOST_BYTES = 256 << 20  # of the arrays
MOST_HEADER = 1 << 16
MOST_NAME = 200
_PREFIX = struct.Struct("<4sII")

ENDS = np.dtype(
    [
        ("number", np.int64), ("car", np.int64), ("reward", np.float64), ("steps", np.int64), ("progress", np.float64),
        ("status", np.int8), ("sim_seconds", np.float64), ("started", np.float64),
    ]
)  # fmt: skip
# name: (dtypes it may have, axes). Axes: T steps, M cars, V views, H and W pixels, others free.
_TABLE: dict[str, tuple[tuple[np.dtype, ...], str]] = {
    "frames": ((np.dtype(np.uint8),), "tMVHW"),
    "history": ((np.dtype(np.uint8),), "MHWh"),
    "lidar": ((np.dtype(np.float32),), "tML"),
    "finals": ((np.dtype(np.uint8),), "kVHW"),
    "final_at": ((np.dtype(np.int32),), "k2"),
    "final_lidar": ((np.dtype(np.float32),), "kL"),
    "actions": ((np.dtype(np.int32), np.dtype(np.float32)), "TM"),
    "policy": ((np.dtype(np.float32),), "TMa"),
    "deviation": ((np.dtype(np.float32),), "TM2"),
    "log_probability": ((np.dtype(np.float32),), "TM"),
    "rewards": ((np.dtype(np.float64),), "TM"),
    "terminated": ((np.dtype(np.bool_),), "TM"),
    "truncated": ((np.dtype(np.bool_),), "TM"),
    "ends": ((ENDS,), "e"),
    "trace": ((TraceRecorder.FIELDS,), "TM"),
    "objects": ((OBJECT,), "To"),
    "noise_episode": ((np.dtype(np.int64),), "tM"),
    "noise_step": ((np.dtype(np.int64),), "tM"),
}
_OPTIONAL = ("lidar", "final_lidar", "deviation", "objects", "noise_episode", "noise_step")
_DTYPES = {str(kind): kind for kinds, _ in _TABLE.values() for kind in kinds}


class FragmentError(ValueError):
    """These bytes are no whole fragment."""


@dataclass(frozen=True)
class Tag:
    """Where a fragment belongs. session: one start of a trainer. worker: one start of a worker. sequence: its
    fragments of this session, from 0. policy: the version that played it."""

    session: str
    worker: str
    sequence: int
    policy: int


@dataclass(frozen=True)
class Fragment:
    """Arrays with time first, then car.

    frames: (T + 1, M, views, 120, 160), the camera's; the last row is what the cars saw after the last step.
    history: (M, 120, 160, views · (depth − 1)), the older part of the first observation's frame stack.
    lidar: (T + 1, M, values), as the network sees it, where the cars have one.
    finals, final_lidar, final_at: what was seen last in cut episodes, (K, …) as above, and their (step, car).
    actions: (T, M) int32, or (T, M, 2) float32. policy: (T, M, A), what the network said: probabilities, values or
    means; deviation: (T, M, 2), of a Gaussian. log_probability: of the actions as they were drawn.
    rewards: as the reward function gives them. ends: finished episodes (ENDS); trace: TraceRecorder's rows; both with
    the worker's own numbers of episodes. objects: (T, K) OBJECT, what stands on the first car's track, for videos.
    reward_seconds: what the reward function has taken for all of it.
    noise_seed, noise_episode, noise_step: where the camera is randomised, `frames` are clean and the receiver draws the
    noise of (seed, car, episode, step) itself; None where frames are what the cars saw, as history and finals are.
    """

    tag: Tag
    frames: np.ndarray
    history: np.ndarray
    finals: np.ndarray
    final_at: np.ndarray
    actions: np.ndarray
    policy: np.ndarray
    log_probability: np.ndarray
    rewards: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    ends: np.ndarray
    trace: np.ndarray
    lidar: np.ndarray | None = None
    final_lidar: np.ndarray | None = None
    deviation: np.ndarray | None = None
    objects: np.ndarray | None = None
    noise_seed: int | None = None
    noise_episode: np.ndarray | None = None
    noise_step: np.ndarray | None = None
    reward_seconds: float = 0.0

    @property
    def time(self) -> int:
        return len(self.rewards)

    @property
    def cars(self) -> int:
        return self.rewards.shape[1]

    @property
    def steps(self) -> int:
        """Environment steps in it."""
        return self.rewards.size

    @property
    def depth(self) -> int:
        """Of the frame stack."""
        return self.history.shape[-1] // self.views + 1

    @property
    def views(self) -> int:
        """Of the cameras of a car."""
        return self.frames.shape[2]

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Of an observation's arrays, for one car."""
        camera = (*self.frames.shape[3:], self.views + self.history.shape[-1])
        return (camera,) if self.lidar is None else (camera, self.lidar.shape[2:])

    def tagged(self, tag: Tag) -> "Fragment":
        return replace(self, tag=tag)


def encode(fragment: Fragment) -> bytes:
    """The fragment's bytes on the wire."""
    arrays = {name: getattr(fragment, name) for name in _TABLE if getattr(fragment, name) is not None}
    header = {
        "tag": [fragment.tag.session, fragment.tag.worker, fragment.tag.sequence, fragment.tag.policy],
        "noise_seed": fragment.noise_seed,
        "reward_seconds": fragment.reward_seconds,
        "arrays": [[name, str(array.dtype), list(array.shape)] for name, array in arrays.items()],
    }
    text = json.dumps(header).encode()
    body = zstandard.ZstdCompressor(level=LEVEL).compress(
        b"".join(np.ascontiguousarray(array).tobytes() for array in arrays.values())
    )
    rest = struct.pack("<I", len(text)) + text + body
    return MAGIC + struct.pack("<I", zlib.crc32(rest)) + rest


def decode(data: bytes, most_bytes: int = MOST_BYTES) -> Fragment:
    """Raises FragmentError for all that `encode` has not written; allocates at most `most_bytes` for the arrays."""
    if len(data) < _PREFIX.size:
        raise FragmentError("too short")
    magic, digest, length = _PREFIX.unpack_from(data)
    if magic != MAGIC or length > MOST_HEADER or _PREFIX.size + length > len(data):
        raise FragmentError("no fragment of this version")
    if zlib.crc32(memoryview(data)[8:]) != digest:
        raise FragmentError("damaged: its checksum does not fit")
    tag, seed, seconds, described = _header(data[_PREFIX.size : _PREFIX.size + length])
    sizes = [kind.itemsize * math.prod(shape) for kind, shape in described.values()]
    if sum(sizes) > most_bytes:
        raise FragmentError(f"{sum(sizes)} bytes of arrays, at most {most_bytes} are taken")
    body = _decompressed(data[_PREFIX.size + length :], sum(sizes))
    arrays, start = {}, 0
    for (name, (kind, shape)), size in zip(described.items(), sizes, strict=True):
        arrays[name] = np.frombuffer(body, kind, math.prod(shape), start).reshape(shape)
        start += size
    _check_values(arrays)
    return Fragment(tag=tag, noise_seed=seed, reward_seconds=seconds, **arrays)


def _header(text: bytes) -> tuple[Tag, int | None, float, dict[str, tuple[np.dtype, tuple[int, ...]]]]:
    try:
        header = json.loads(text)
        session, worker, sequence, policy = header["tag"]
        seed, seconds = header["noise_seed"], header["reward_seconds"]
        listed = [(name, kind, tuple(shape)) for name, kind, shape in header["arrays"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FragmentError(f"its header is damaged: {error}") from None
    if not all(isinstance(text, str) and 0 < len(text) <= MOST_NAME for text in (session, worker)):
        raise FragmentError("its tag has no session or worker")
    if not all(_count(number) for number in (sequence, policy)) or not (seed is None or type(seed) is int):
        raise FragmentError("its tag has no sequence or policy")
    if type(seconds) is not float or not 0 <= seconds < float("inf"):
        raise FragmentError("it does not say what its rewards have taken")
    described = {name: (_DTYPES.get(kind), shape) for name, kind, shape in listed if isinstance(kind, str)}
    if len(described) != len(listed) or set(described) - set(_TABLE) or set(_TABLE) - set(described) - set(_OPTIONAL):
        raise FragmentError("its arrays are not those of a fragment")
    _check_shapes(described, seed)
    return Tag(session, worker, sequence, policy), seed, seconds, described  # type: ignore[return-value]


def _check_shapes(described: dict[str, Any], seed: int | None) -> None:
    axes: dict[str, int] = {"H": HEIGHT, "W": WIDTH, "2": 2}
    for name, (kind, shape) in described.items():
        kinds, letters = _TABLE[name]
        if name == "actions" and kind == np.float32:
            letters += "2"
        if kind is None or kind not in kinds or len(shape) != len(letters) or not all(_count(size) for size in shape):
            raise FragmentError(f"{name} has another type or shape: {kind}, {shape}")
        for letter, size in zip(letters, shape, strict=True):
            if axes.setdefault(letter, size) != size:
                raise FragmentError(f"{name} does not fit the others: {shape}")
    if axes["T"] < 1 or axes["M"] < 1 or axes["a"] < 1 or axes["t"] != axes["T"] + 1:
        raise FragmentError("it has no steps, no cars or no last frames")
    if axes["V"] < 1 or axes["h"] % axes["V"]:
        raise FragmentError("its frames have no views, or a history of half of them")
    if ("lidar" in described) != ("final_lidar" in described):
        raise FragmentError("it has half of what the lidar showed")
    continuous = described["actions"][0] == np.float32
    if continuous != ("deviation" in described) and "deviation" in described:
        raise FragmentError("deviations without continuous actions")
    noisy = {"noise_episode", "noise_step"} & set(described)
    if len(noisy) != (0 if seed is None else 2):
        raise FragmentError("it has half of what its camera noise is drawn from")


def _decompressed(body: bytes, size: int) -> bytes:
    try:
        # The frame says itself how large it would get: a lie about it must not be believed.
        if zstandard.frame_content_size(body) != size:
            raise FragmentError("its arrays have another size than it says")
        return zstandard.ZstdDecompressor().decompress(body, max_output_size=size, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise FragmentError(f"its arrays are damaged: {error}") from None


def _check_values(arrays: dict[str, np.ndarray]) -> None:
    """What would spoil the learning or index out of bounds."""
    for name in ("rewards", "policy", "deviation", "log_probability", "lidar", "final_lidar"):
        if name in arrays and not np.isfinite(arrays[name]).all():
            raise FragmentError(f"{name} has numbers that are not finite")
    time, cars = arrays["rewards"].shape
    actions, at = arrays["actions"], arrays["final_at"]
    if actions.dtype == np.int32:
        if (actions < 0).any() or (actions >= arrays["policy"].shape[2]).any():
            raise FragmentError("an action that the policy does not have")
    elif not np.isfinite(actions).all():
        raise FragmentError("actions that are not finite")
    if len(at) and ((at < 0).any() or (at[:, 0] >= time).any() or (at[:, 1] >= cars).any()):
        raise FragmentError("a last frame of a step or car that it does not have")
    if arrays["terminated"].view(np.uint8).max(initial=0) > 1 or arrays["truncated"].view(np.uint8).max(initial=0) > 1:
        raise FragmentError("flags that are neither true nor false")
    ends, trace = arrays["ends"], arrays["trace"]
    for status in (ends["status"], trace["status"]):
        if len(status) and not 0 <= int(status.min()) <= int(status.max()) < len(STATUS_NAMES):
            raise FragmentError("a status that no episode has")
    if not (np.isfinite(ends["reward"]).all() and np.isfinite(ends["progress"]).all()):
        raise FragmentError("ends with numbers that are not finite")
    cut = np.zeros((time, cars), bool)
    cut[at[:, 0], at[:, 1]] = True
    if (arrays["truncated"] & ~arrays["terminated"] & ~cut).any():
        raise FragmentError("a cut episode without its last frame")


def _count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**53


assert set(_TABLE) | {"tag", "noise_seed", "reward_seconds"} == {field.name for field in fields(Fragment)}
