"""rl_coach's filters of observations in presets, and what they are called in a published policy's `preprocess`.

Those that rl_coach lacks are thin wrappers of kuberacer/preprocess.py; those that it has are applied by the
code there, which gives the same numbers for many observations at once (tests/unit/coach/test_filters.py).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from rl_coach.filters.observation.observation_clipping_filter import ObservationClippingFilter
from rl_coach.filters.observation.observation_crop_filter import ObservationCropFilter
from rl_coach.filters.observation.observation_filter import ObservationFilter
from rl_coach.filters.observation.observation_move_axis_filter import ObservationMoveAxisFilter
from rl_coach.filters.observation.observation_rgb_to_y_filter import ObservationRGBToYFilter
from rl_coach.filters.observation.observation_squeeze_filter import ObservationSqueezeFilter
from rl_coach.filters.observation.observation_to_uint8_filter import ObservationToUInt8Filter

from kuberacer.errors import UserError
from kuberacer.preprocess import Preprocess, written


class PreprocessFilter(ObservationFilter):
    """A filter of a preset that is one step of `preprocess`."""

    def __init__(self, step: str):
        super().__init__()
        self.step = step
        self._apply = Preprocess.parse([step])

    def filter(self, observation: Any, update_internal_state: bool = True) -> np.ndarray:
        return self._apply(np.asarray(observation)[None])[0]

    def get_filtered_observation_space(self, input_observation_space: Any) -> Any:
        # Shapes do not depend on the type, and rl_coach's spaces know none.
        shape, _ = self._apply.shape_of(tuple(int(size) for size in input_observation_space.shape), "float32")
        input_observation_space.shape = np.array(shape)
        return input_observation_space


class ObservationToFloatFilter(PreprocessFilter):
    """Bytes -> float32."""

    def __init__(self) -> None:
        super().__init__("to_float")


class ObservationSobelFilter(PreprocessFilter):
    """A grey frame (rows, columns) -> how steep it is at each pixel."""

    def __init__(self) -> None:
        super().__init__("sobel")


class ObservationBinariseFilter(PreprocessFilter):
    """1 above the threshold, else 0, as bytes."""

    def __init__(self, threshold: float):
        super().__init__(written("binarise", threshold))


class ObservationAddChannelFilter(PreprocessFilter):
    """(rows, columns) -> (rows, columns, 1), as networks take frames."""

    def __init__(self) -> None:
        super().__init__("add_channel")


def _crop(given: Any) -> str:
    return written(
        "crop", *(int(bound) for pair in zip(given.crop_low, given.crop_high, strict=True) for bound in pair)
    )


_STEPS: dict[type, Callable[[Any], str]] = {
    ObservationRGBToYFilter: lambda given: "rgb_to_y",
    ObservationToUInt8Filter: lambda given: written("to_uint8", given.input_low, given.input_high),
    ObservationCropFilter: _crop,
    ObservationSqueezeFilter: lambda given: written("squeeze", *([] if given.axis is None else [given.axis])),
    ObservationMoveAxisFilter: lambda given: written("move_axis", given.axis_origin, given.axis_target),
    ObservationClippingFilter: lambda given: written("clip", given.clip_min, given.clip_max),
}


def steps_of(parameters: Any, name: str) -> tuple[str, ...]:
    """The filters that rl_coach's AgentParameters apply to the observation `name`, as steps of `preprocess`.

    Raises UserError naming a filter that a published policy cannot take along, or an observation that is not there.
    """
    before = getattr(parameters.pre_network_filter, "observation_filters", {})
    for filters in before.values():
        for called, given in filters.items():
            raise _cannot(called, given, "pre_network_filter")
    of_all = parameters.input_filter.observation_filters
    for other in of_all:
        if other != name:
            raise UserError(f"preset: its input_filter filters {other!r}", f"the observation is called {name!r}")
    return tuple(_step(called, given) for called, given in of_all.get(name, {}).items())


def _step(called: str, given: Any) -> str:
    if isinstance(given, PreprocessFilter):
        return given.step
    if type(given) not in _STEPS:
        raise _cannot(called, given, "input_filter")
    return _STEPS[type(given)](given)


def _cannot(called: str, given: Any, where: str) -> UserError:
    kind = type(given).__name__
    known = ", ".join(
        [*(each.__name__ for each in _STEPS), *(each.__name__ for each in PreprocessFilter.__subclasses__())]
    )
    cause = f"preset: the {where} {called!r} is a {kind}, which a published policy cannot take along"
    if kind == "ObservationNormalizationFilter":
        return UserError(
            cause, "leave it out: without filters, bounded observations are brought to -1..1 by their bounds"
        )
    return UserError(cause, f"use one of: {known}")
