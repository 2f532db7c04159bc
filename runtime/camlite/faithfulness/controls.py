"""Maps that know nothing of the picture: what a map must be better than."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from camlite.maps import resize

# A random map of single pixels of a large picture would be a test of noise: a classifier sees through it.
_CELLS = 28

_Heat = NDArray[np.float32]


def random(height: int, width: int, seed: tuple[int, ...]) -> _Heat:
    """A random map, float32 (height, width) in 0..1: independent cells, at most 28 along the longer side, resized.

    Args:
        seed: the same numbers give the same map.
    """
    scale = min(1.0, _CELLS / max(height, width))
    cells = np.random.default_rng(seed).random((max(1, round(height * scale)), max(1, round(width * scale))))
    return resize.heatmap(cells.astype(np.float32), _resizing(*cells.shape, height, width))


@functools.lru_cache(maxsize=4)
def centred(height: int, width: int) -> _Heat:
    """The middle of the picture, float32 (height, width): 1 there, falling evenly to 0 in the corners. Read-only."""
    rows, columns = ((np.arange(side) + 0.5) / side - 0.5 for side in (height, width))
    away = np.hypot(rows[:, np.newaxis], columns)
    heat = (1 - away / max(float(away.max()), 1e-9)).astype(np.float32)
    heat.flags.writeable = False
    return heat


@functools.lru_cache(maxsize=4)
def _resizing(rows: int, columns: int, height: int, width: int) -> resize.Resizing:
    return resize.Resizing((rows, columns), (height, width))
