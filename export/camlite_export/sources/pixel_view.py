"""What deciding on pixels needs of a classifier, of whatever kind its file is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from camlite.artifact.card import Fit
from camlite_export.sources.known_families import Family
from camlite_export.sources.source import Source

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Remembered:
    """What a normalization remembers of what it was given in training.

    Attributes:
        name, kind: of the layer: ``BatchNormalization``, or ``Normalization`` that was adapted or told.
        mean, variance: float64 (channels,).
        epsilon: what it adds to the variance.
    """

    name: str
    kind: str
    mean: Floats
    variance: Floats
    epsilon: float


class Moments(NamedTuple):
    """Of the values in each picture and channel, over all places: float64 (N, channels)."""

    mean: Floats
    square: Floats


def joined(parts: Sequence[Moments]) -> Moments:
    """The moments of several batches as one."""
    return Moments(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def scores_of(source: Source, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scores by the original, float32 (N, classes): its own framework, its own dtypes."""
    feature_maps = [step for step in source.steps if len(step.shape) == 4 and None not in step.shape[1:]]
    smallest = min(feature_maps, key=lambda step: math.prod(side or 1 for side in step.shape))  # it is given besides
    return source.answer(inputs, smallest).scores


class View(Protocol):
    """A classifier, seen from its pixels. Inputs are float32 (N, height, width, channels), already prepared."""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the input."""

    @property
    def family(self) -> Family | None:
        """The known family of networks that its layers are built like; None for others."""

    @property
    def remembered(self) -> Sequence[Remembered]:
        """What the first normalization over channels remembers: one, or none."""

    def moments(self, inputs: NDArray[np.float32]) -> list[Moments]:
        """What that normalization is given for these inputs: one, or none."""

    def at_first_learned_layer(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the first layer that has learned anything is given: float32 (N, ...); the inputs where it is first."""

    def scores(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Float32 (N, classes)."""


def usual_fit(view: View) -> Fit:
    """How images of other sizes are made to fit where nobody says: as the family does, else ``stretch``."""
    return (view.family.fit if view.family else None) or "stretch"
