"""Where the evidence is, in a few numbers: its peak, the hot region around it, and its share in each quadrant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

HOT = 0.5
"""The hot region: the places of at least this share of the heatmap's peak that hang together with it."""


@dataclass(frozen=True)
class Region:
    """Where a heatmap is hot, in pixels of the image: x to the right, y down, 0 at its upper left corner.

    Attributes:
        peak: (x, y) of the hottest place.
        box: (left, top, right, bottom) of the smallest rectangle around the hot region: left <= x < right. As Zhou et
            al. (2016) place objects, with half of the peak where they take a fifth: a fifth covers most of the image
            where feature maps are as small as 7 x 7.
        quadrants: each one's share of the sum of the heatmap, 0..1; together 1.
    """

    peak: tuple[int, int]
    box: tuple[int, int, int, int]
    quadrants: Mapping[str, float]


def find(heatmap: Floats, window: tuple[slice, slice]) -> Region | None:
    """Measure a heatmap; None where it is 0 everywhere, for want of positive evidence.

    Args:
        heatmap: float32 (height, width), 0 or more, as `camlite.Explanation.heatmap`.
        window: rows and columns of the image that the heatmap covers, see `camlite.images.preprocessing.window`.
    """
    if not heatmap.max() > 0:
        return None
    row, column = divmod(int(heatmap.argmax()), heatmap.shape[1])
    region = _connected(heatmap >= HOT * heatmap[row, column], (row, column))
    rows, columns = (np.flatnonzero(region.any(axis=axis)) for axis in (1, 0))
    (top, bottom), y = _pixels(rows, row, window[0], heatmap.shape[0])
    (left, right), x = _pixels(columns, column, window[1], heatmap.shape[1])
    return Region((x, y), (left, top, right, bottom), _quadrants(heatmap))


def _pixels(places: NDArray[np.intp], peak: int, window: slice, size: int) -> tuple[tuple[int, int], int]:
    """First and last place, and peak, of one axis of the heatmap, in pixels of the image.

    In whole numbers: 29 / 7 * 7 is more than 29.
    """
    length = window.stop - window.start
    first, behind = int(places[0]) * length // size, -(-(int(places[-1]) + 1) * length // size)
    return (window.start + first, window.start + behind), window.start + (2 * peak + 1) * length // (2 * size)


def _connected(hot: NDArray[np.bool_], seed: tuple[int, int]) -> NDArray[np.bool_]:
    """The places that can be reached from the seed, up, down, left and right."""
    region = np.zeros_like(hot)
    region[seed] = True
    while True:
        grown = region.copy()
        grown[1:] |= region[:-1]
        grown[:-1] |= region[1:]
        grown[:, 1:] |= region[:, :-1]
        grown[:, :-1] |= region[:, 1:]
        grown &= hot
        if np.array_equal(grown, region):
            return region
        region = grown


def _quadrants(heatmap: Floats) -> dict[str, float]:
    """Shares of the sum; a middle row or column counts half to either side."""
    vertical, horizontal = (_halves(size) for size in heatmap.shape)
    shares = vertical @ heatmap.astype(np.float64) @ horizontal.T / heatmap.sum(dtype=np.float64)
    names = ("upper_left", "upper_right", "lower_left", "lower_right")
    return dict(zip(names, shares.ravel().tolist(), strict=True))


def _halves(size: int) -> NDArray[np.float64]:
    """(2, size): how much each place belongs to the first half, and to the second."""
    second = (np.arange(size) + 1 - size / 2).clip(0, 1)
    return np.stack([1 - second, second])
