"""Guided redistribution: coarse evidence, which adds up, over the cells of a finer guide. Its sum stays what it was.

A guide says where an earlier, finer layer saw what speaks for the class (LayerCAM: Jiang et al., 2021, "LayerCAM:
Exploring Hierarchical Class Activation Maps for Localization"). Each coarse cell i hands its evidence, whatever its
sign, to the fine cells p around it, in proportion to a tent times the guide:

    G[p]       = max(guide[p], 0) / the largest + floor * mean of the same + 1e-12
    share[i,p] = tent[i, p] * G[p] / sum over q of tent[i, q] * G[q]
    fine[p]    = sum over i of evidence[i] * share[i, p]

The tent is a product of one for rows and one for columns, so all of it is four small matrix products.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from camlite.artifact.card import Window
from camlite.artifact.map_choice import Guide
from camlite.maps.cam import Floats

# Every place is given something, so that no cell is without one; float32 has room for it below the guide's largest, 1.
_LEAST_SHARE = 1e-12
# Tents below are 0: at the edge of a tent, float64 rounds 0 to as much as 1e-16, on one machine and not on another.
_LEAST_TENT = 1e-6


class Redistribution:
    """The tents of one artifact: made once, used for every image.

    Raises:
        ValueError: a row or column of evidence has none of the guide within its tent.
    """

    def __init__(self, size: tuple[int, int], window: Window, guide: Guide) -> None:
        """Size (h, w) and window of the evidence; the guide says its own."""
        there, radius = guide.window, guide.radius
        rows = tents(size[0], (window.top, window.bottom), guide.height, (there.top, there.bottom), radius)
        columns = tents(size[1], (window.left, window.right), guide.width, (there.left, there.right), radius)
        for name, found in (("row", rows), ("column", columns)):
            if not found.any(axis=1).all():
                alone = int(found.any(axis=1).argmin())
                raise ValueError(f"{name} {alone} of the evidence has no {name} of the guide within radius {radius:g}")
        # Each in the order in which `dot` reads it.
        self._gather_rows, self._gather_columns = rows, np.ascontiguousarray(columns.T)
        self._spread_rows, self._spread_columns = np.ascontiguousarray(rows.T), columns
        self._zeros = np.zeros((guide.height, guide.width), np.float32)  # `maximum` takes an array at once
        self._means = np.full(self._zeros.size, guide.floor / self._zeros.size, np.float32)

    def __call__(self, evidence: Floats, guide: Floats) -> Floats:
        """Fine evidence, float32 (h', w'), of evidence (h, w); or (n, h', w') of n maps, each by its own guide.

        Args:
            evidence: float32, in logits, of any sign.
            guide: float32 (h', w') or (n, h', w'), of any scale. Numbers below 0 count as 0; where all are 0, the tents
                alone say how evidence is spread. Where one is not finite, fine evidence is NaN.
        """
        if evidence.ndim == 3:
            pairs = zip(evidence, guide, strict=True)
            return np.stack([self(*one) for one in pairs]) if len(evidence) else guide[:0]
        flat = guide.ravel()
        if not math.isfinite(flat.dot(flat)) and not np.isfinite(flat).all():  # a finite sum of squares is the usual
            return np.full(guide.shape, np.nan, np.float32)
        shares = np.maximum(guide, self._zeros)
        largest = shares.item(shares.argmax())
        if largest > 0:
            shares /= np.float32(largest)
            shares += np.float32(float(shares.ravel().dot(self._means)) + _LEAST_SHARE)
        else:
            shares += np.float32(1)
        given = self._gather_rows.dot(shares).dot(self._gather_columns)
        found: Floats = self._spread_rows.dot(evidence / given).dot(self._spread_columns)
        found *= shares
        return found


def tents(
    size: int, span: tuple[float, float], fine_size: int, fine_span: tuple[float, float], radius: float
) -> NDArray[np.float32]:
    """How near each of `fine_size` places is to each of `size` cells of an axis: float32 (size, fine_size) in 0..1.

    1 at the cell's own centre, and 0 from `radius` sides of a cell on.

    Args:
        span, fine_span: where each grid begins and ends over the classifier's input, in fractions of its side.
    """
    (start, stop), (fine_start, fine_stop) = span, fine_span
    side = (stop - start) / size
    centres = start + (np.arange(size) + 0.5) * side
    places = fine_start + (np.arange(fine_size) + 0.5) * ((fine_stop - fine_start) / fine_size)
    found = np.abs(places - centres[:, np.newaxis])
    found /= -radius * side
    found += 1
    found[found < _LEAST_TENT] = 0
    return found.astype(np.float32)
