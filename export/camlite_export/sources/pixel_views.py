"""The view of any classifier: as much of it as its kind of file shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from camlite_export.sources.keras3 import Keras3Source
from camlite_export.sources.keras_pixels import KerasPixels
from camlite_export.sources.known_families import Family
from camlite_export.sources.pixel_view import Moments, Remembered, View, scores_of
from camlite_export.sources.source import Source


def view_of(source: Source) -> View:
    """What can be seen of a classifier's pixels; of a kind whose layers are not known, only what it answers."""
    return KerasPixels(source) if isinstance(source, Keras3Source) else Answers(source)


class Answers:
    """A classifier that only answers, as `camlite_export.sources.pixel_view.View`."""

    family: Family | None = None
    remembered: Sequence[Remembered] = ()

    def __init__(self, source: Source) -> None:
        self._source = source

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """See `View`."""
        return self._source.image_shape

    def moments(self, inputs: NDArray[np.float32]) -> list[Moments]:  # noqa: ARG002
        """See `View`: there are none."""
        return []

    def at_first_learned_layer(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `View`: as if that came first."""
        return inputs

    def scores(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `View`."""
        return scores_of(self._source, inputs)
