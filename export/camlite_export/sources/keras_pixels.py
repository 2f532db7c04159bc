"""What a Keras classifier shows of the pixels that it was trained on: its front, what its normalizations remember,
and its scores.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlite_export import workarounds
from camlite_export.sources.journey import KerasStep
from camlite_export.sources.keras3 import Keras3Source
from camlite_export.sources.known_families import Family, family_of
from camlite_export.sources.pixel_view import Moments, Remembered, joined, scores_of

_MOST_IMAGES = 128
_MOST_BYTES = 1 << 23  # of inputs; the values behind a first layer are some ten times as many


class KerasPixels:
    """A model of Keras as `camlite_export.sources.pixel_view.View`."""

    def __init__(self, source: Keras3Source) -> None:
        self._source = source
        self._image = source.journey.image

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """See `View`."""
        return self._source.image_shape

    @cached_property
    def family(self) -> Family | None:
        """See `View`."""
        return family_of(self._source.steps, self.image_shape)

    def scores(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `View`."""
        return scores_of(self._source, inputs)

    def at_first_learned_layer(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `View`."""
        front = self._front
        if front is None:
            return inputs
        return np.concatenate([np.asarray(front(batch, training=False), np.float32) for batch in _batches(inputs)])

    @cached_property
    def _front(self) -> Any:
        learned = next((step for step in self._source.steps if step.parameters and step.kind != "Normalization"), None)
        entrance = _input_of(learned) if learned else None
        if entrance is None or entrance is self._image:
            return None
        return workarounds.functional_model(self._image, entrance)

    @cached_property
    def _normalization(self) -> tuple[Any, list[Remembered]]:
        """The model up to the first normalization, and what that remembers: what comes later is made of what it sees,
        and takes longer.
        """
        import keras

        for step in self._source.steps:
            entrance, memory = _input_of(step), _remembered(step)
            if entrance is not None and memory is not None:
                # A layer of its own, as a model may not begin and end with the same tensor.
                same = keras.layers.Identity(dtype=entrance.dtype)(entrance)
                return workarounds.functional_model(self._image, same), [memory]
        return None, []

    @property
    def remembered(self) -> Sequence[Remembered]:
        """See `View`."""
        return self._normalization[1]

    def moments(self, inputs: NDArray[np.float32]) -> list[Moments]:
        """See `View`."""
        model = self._normalization[0]
        return [joined([_moments(model(batch, training=False)) for batch in _batches(inputs)])] if model else []


def _batches(inputs: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    size = max(1, min(_MOST_IMAGES, _MOST_BYTES // inputs[0].nbytes))
    return (inputs[start : start + size] for start in range(0, len(inputs), size))


def _moments(values: Any) -> Moments:
    """Of each picture and channel, over its places."""
    places = np.asarray(values, np.float64).reshape(values.shape[0], -1, values.shape[-1])
    return Moments(places.mean(axis=1), np.square(places).mean(axis=1))


def _input_of(step: KerasStep) -> Any:
    """The symbolic tensor that a step's layer was given; None where it had several."""
    _, node, _ = step.output._keras_history
    given = step.operation._inbound_nodes[node].input_tensors
    return given[0] if len(given) == 1 else None


def _remembered(step: KerasStep) -> Remembered | None:
    """What a normalization over the channels remembers of its training; None of other layers."""
    layer = step.operation
    names = {"BatchNormalization": ("moving_mean", "moving_variance"), "Normalization": ("mean", "variance")}
    if step.kind not in names:
        return None
    mean, variance = (np.asarray(getattr(layer, name), np.float64).reshape(-1) for name in names[step.kind])
    channels = step.shape[-1]
    if len(mean) != channels or len(variance) != channels:
        return None
    if step.kind == "BatchNormalization" and np.all(mean == 0) and np.all(variance == 1):
        return None  # as it was made: nothing was ever seen
    return Remembered(step.name, step.kind, mean, variance, float(getattr(layer, "epsilon", 0.0)))
