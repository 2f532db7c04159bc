"""The view of any classifier: as much of it as its kind of file shows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from camlite_export.sources.file_source import FileSource
from camlite_export.sources.keras3 import Keras3Source
from camlite_export.sources.keras_pixels import KerasPixels
from camlite_export.sources.known_families import Family, family_of_file
from camlite_export.sources.pixel_view import Moments, Remembered, View, scores_of
from camlite_export.sources.source import Source


def view_of(source: Source) -> View:
    """What can be seen of a classifier's pixels; of a kind whose layers are not known, only what it answers."""
    if isinstance(source, Keras3Source):
        return KerasPixels(source)
    return FilePixels(source) if isinstance(source, FileSource) else Answers(source)


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


class FilePixels(Answers):
    """A file that ships: its normalizations are folded into its kernels, but what stands in front of them is there."""

    def __init__(self, source: FileSource) -> None:
        super().__init__(source)
        self._file = source

    @cached_property
    def family(self) -> Family | None:  # type: ignore[override]
        """See `View`."""
        return family_of_file(self._file.steps, self.image_shape)

    def at_first_learned_layer(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `View`."""
        import tensorflow as tf

        steps = self._file.steps
        learned = next((index for index, step in enumerate(steps) if step.parameters), 0)
        if not learned:
            return inputs
        found = [self._file.twin_of_image(tf.constant(one[np.newaxis]), steps[learned - 1]) for one in inputs]
        return np.concatenate([np.asarray(one, np.float32) for one in found])
