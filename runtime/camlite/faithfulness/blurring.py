"""A blurred copy of a picture: what stands in the place of pixels that a classifier is not shown."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIGMA = 20 / 224
"""Standard deviation of the blur, in longer sides of the picture: strong enough that no class is left to be told."""

_REACH = 4.0  # the kernel ends after so many standard deviations


def blurred(image: NDArray[Any], sigma: float = SIGMA) -> NDArray[Any]:
    """A picture (H, W, C) blurred by a Gaussian; edges are mirrored.

    Args:
        image: uint8 or float.
        sigma: standard deviation, in longer sides of the picture.

    Returns:
        The same shape and dtype; uint8 is rounded.
    """
    pixels = sigma * max(image.shape[:2])
    rows, columns = (_matrix(side, pixels) for side in image.shape[:2])
    soft = columns @ np.tensordot(rows, image.astype(np.float64), axes=1)
    return (np.rint(soft) if image.dtype == np.uint8 else soft).astype(image.dtype)


@functools.lru_cache(maxsize=8)
def _matrix(side: int, sigma: float) -> NDArray[np.float64]:
    """Convolution of an axis with a Gaussian, as a matrix (side, side); its rows add up to 1."""
    reach = int(_REACH * sigma + 0.5)
    offsets = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (offsets / max(sigma, 1e-9)) ** 2)
    kernel /= kernel.sum()
    places = (np.arange(side)[:, np.newaxis] + offsets) % (2 * side)
    mirrored = np.where(places < side, places, 2 * side - 1 - places)
    matrix = np.zeros((side, side))
    np.add.at(matrix, (np.arange(side)[:, np.newaxis], mirrored), kernel)
    return matrix
