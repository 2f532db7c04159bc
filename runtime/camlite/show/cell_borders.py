"""Faint borders of the cells of a map that has few: what looks smooth is then seen to be made of large squares."""

from __future__ import annotations

import numpy as np

from camlite.images import preprocessing
from camlite.images.preprocessing import Pixels
from camlite.show.explained import Explained

FEW = 64
"""A map of at most so many cells has its borders drawn."""

_SMALLEST_CELL = 12  # pixels a side; borders of smaller ones would hide the picture
_SHARE = 0.22


def draw(explanation: Explained, panel: Pixels) -> None:
    """Draw the borders of the finest map's cells over a panel, uint8 (H, W, 3), in place; of many cells none.

    A border is lighter than what it lies on where that is dark, and darker where that is light.
    """
    finest = explanation.finest
    count = finest.evidence.shape[-2:]
    height, width = panel.shape[:2]
    window = preprocessing.window(height, width, explanation.explainer.artifact.card.preprocessing)
    edges = ((finest.window.top, finest.window.bottom), (finest.window.left, finest.window.right))
    sides = [seen.stop - seen.start for seen in window]
    cells = [(stop - start) * side / n for n, (start, stop), side in zip(count, edges, sides, strict=True)]
    if count[0] * count[1] > FEW or min(cells) < _SMALLEST_CELL:
        return
    lines = np.zeros(panel.shape[:2], bool)
    for axis, (n, (start, _), seen, cell) in enumerate(zip(count, edges, window, cells, strict=True)):
        first = seen.start + start * sides[axis]
        places = np.rint(first + cell * np.arange(n + 1)).astype(np.intp)
        inside = places[(places > seen.start) & (places < seen.stop)]
        other = window[1 - axis]
        lines[(inside, other) if axis == 0 else (other, inside)] = True
    under = panel[lines].astype(np.float32)
    ink = np.where(under.mean(axis=1, keepdims=True) < 128, np.float32(255), np.float32(0))
    panel[lines] = np.rint(under + _SHARE * (ink - under)).astype(np.uint8)
