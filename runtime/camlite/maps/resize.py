"""Maps at another size: bilinear for numbers, smooth for pictures; and the heatmap that evidence becomes."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from camlite.artifact.card import WHOLE, Window
from camlite.maps.cam import Floats


@functools.lru_cache(maxsize=64)
def taps(
    size: int, target: int, start: float = 0.0, stop: float = 1.0
) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    """Bilinear resizing of one axis: each of `target` numbers lies between two of `size`.

    Pixel centres at half coordinates, edges held, no antialiasing: what ``tf.image.resize`` computes.

    Args:
        size: of what is resized.
        target: of the result.
        start, stop: where the first number's edge and the last one's lie along the result, in fractions of it.

    Returns:
        Index of the number before, index of the one behind, and the share of the one behind, float32; (target,) each.
    """
    scale = size / (target * (stop - start))
    centres = ((np.arange(target) + 0.5 - start * target) * scale - 0.5).clip(0, size - 1)
    before = np.floor(centres).astype(np.intp)
    found = before, np.minimum(before + 1, size - 1), (centres - before).astype(np.float32)
    for array in found:
        array.flags.writeable = False
    return found


def resize_matrix(size: int, target: int, start: float = 0.0, stop: float = 1.0) -> Floats:
    """`taps` as a matrix, float32 (target, size); its rows add up to 1, or to 0 outside of start to stop."""
    before, behind, share = taps(size, target, start, stop)
    matrix = np.zeros((target, size), np.float32)
    rows = np.arange(target)
    np.add.at(matrix, (rows, before), 1 - share)
    np.add.at(matrix, (rows, behind), share)
    matrix[_is_outside(target, start, stop)] = 0
    return matrix


def smooth_matrix(size: int, target: int, start: float = 0.0, stop: float = 1.0) -> Floats:
    """Smooth resizing of one axis, float32 (target, size); its rows add up to 1, or to 0 outside of start to stop.

    Each of `target` numbers is a weighted mean of three, by a quadratic B-spline: bilinear resizing, averaged over the
    width of a number. It is smooth where that has the corners which draw stars and ridges into a map of few cells.
    Edges are held. The arguments are those of `taps`.
    """
    rows = np.arange(target)
    centres = ((rows + 0.5 - start * target) * (size / (target * (stop - start))) - 0.5).clip(-1, size)
    nearest = np.floor(centres + 0.5)
    off = centres - nearest
    matrix = np.zeros((target, size))
    for step, weight in ((-1, (0.5 - off) ** 2 / 2), (0, 0.75 - off**2), (1, (0.5 + off) ** 2 / 2)):
        np.add.at(matrix, (rows, (nearest + step).clip(0, size - 1).astype(np.intp)), weight)
    matrix[_is_outside(target, start, stop)] = 0
    return matrix.astype(np.float32)


def _is_outside(target: int, start: float, stop: float) -> NDArray[np.bool_]:
    centres = (np.arange(target) + 0.5) / target
    return np.asarray((centres < start) | (centres > stop))


class Resizing:
    """Resizing of maps (h, w) to (H, W): two small matrices, made once and used often.

    The map lies over its window of the result, which is 0 outside of it.

    Attributes:
        floor: zeros (H, W) that heatmaps are clipped at; numpy compares with an array ten times as fast as with a
            number.
    """

    def __init__(
        self, size: tuple[int, int], target: tuple[int, int], window: Window = WHOLE, *, smooth: bool = False
    ) -> None:
        """Bilinear, or smooth as pictures are drawn, see `smooth_matrix`."""
        matrix = smooth_matrix if smooth else resize_matrix
        self._rows = np.asfortranarray(matrix(size[0], target[0], window.top, window.bottom))
        self._columns = np.ascontiguousarray(matrix(size[1], target[1], window.left, window.right).T)
        self.floor = np.zeros(target, np.float32)

    def __call__(self, maps: Floats) -> Floats:
        """Resize float32 (..., h, w) to (..., H, W)."""
        if maps.ndim == 2:  # `dot` starts a microsecond earlier than `@`
            resized: Floats = self._rows.dot(maps).dot(self._columns)
            return resized
        return np.asarray(self._rows @ maps @ self._columns)


def heatmap(maps: Floats, resizing: Resizing, peak: float | None = None) -> Floats:
    """Evidence (..., h, w) to heatmaps (..., H, W): resized, clipped at 0, scaled to 0..1.

    A map without positive evidence gives a heatmap of zeros.

    Args:
        maps: float32.
        resizing: from (h, w) to (H, W).
        peak: the evidence that becomes 1, the same for all maps; by default the most of each map when it is resized.
    """
    resized = resizing(maps)
    np.maximum(resized, resizing.floor, resized)
    if peak is not None:
        return np.divide(resized, np.float32(peak), resized) if peak > 0 else resized
    if maps.ndim == 2:
        peak = resized.item(resized.argmax())  # `max` takes ten times as long
        return np.divide(resized, np.float32(peak), resized) if peak > 0 else resized
    peaks = resized.max(axis=(-2, -1), keepdims=True)
    return np.divide(resized, np.where(peaks > 0, peaks, np.float32(1)), resized)
