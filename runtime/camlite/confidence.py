"""Means with bootstrap confidence intervals (Efron, 1979), seeded: the same figures give the same interval."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_SEED = 0
_RESAMPLES = 1000
_LEVEL = 0.95
# Memory of one stroke of the resampling: counts of 2 MB.
_COUNTS_AT_ONCE = 250_000


class Interval(NamedTuple):
    """A mean and its 95 % confidence interval by the percentile bootstrap; NaN where there is nothing to average."""

    mean: float
    low: float
    high: float


def intervals(figures: Floats) -> list[Interval]:
    """One interval a column of figures (n, F), without those rows that hold NaN; whole rows are resampled.

    Memory does not grow with the number of images, but for the figures themselves.
    """
    known = figures[~np.isnan(figures).any(axis=1)]
    if not len(known):
        return [Interval(np.nan, np.nan, np.nan)] * figures.shape[1]
    random = np.random.default_rng(_SEED)
    means = np.concatenate([_resampled(random, known, count) for count in _strokes(len(known))])
    tail = (1 - _LEVEL) / 2
    low, high = np.quantile(means, [tail, 1 - tail], axis=0)
    return [Interval(*map(float, three)) for three in zip(known.mean(axis=0), low, high, strict=True)]


def _strokes(images: int) -> list[int]:
    """How many resamples are made at once."""
    most = max(1, _COUNTS_AT_ONCE // images)
    full, rest = divmod(_RESAMPLES, most)
    return [most] * full + [rest] * (rest > 0)


def _resampled(random: np.random.Generator, known: Floats, count: int) -> Floats:
    drawn = random.integers(0, len(known), (count, len(known)))
    drawn += np.arange(count)[:, np.newaxis] * len(known)
    counts = np.bincount(drawn.ravel(), minlength=count * len(known)).reshape(count, len(known))
    means: Floats = counts @ known / len(known)
    return means
