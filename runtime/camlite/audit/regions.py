"""Where in a picture evidence lies: shares of regions, on the cells of the feature map.

A feature map cannot tell apart what lies in one of its cells. So a cell that the object touches counts as the
object's, and evidence that is spread evenly lies on the object as often as such cells do: chance is known.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from camlite.artifact.card import WHOLE, Window
from camlite.maps.cam import Floats

# The regions that a shortcut is looked for in.
REGIONS = ("sky", "ground", "border", "corners")
EXTENT = {
    "sky": "the upper third",
    "ground": "the lower third",
    "border": "an eighth of the side along each edge",
    "corners": "four squares, a quarter of the side each",
}

SHARE = {"sky": 1 / 3, "ground": 1 / 3, "border": 7 / 16, "corners": 1 / 4}


def region_weights(height: int, width: int, window: Window = WHOLE) -> Floats:
    """How much of each cell lies in each of `REGIONS` of the picture: float32 (4, height, width) in 0..1.

    Args:
        height, width: of the grid of cells.
        window: where the grid lies over the picture.
    """

    def down(low: float, high: float) -> NDArray[np.float64]:
        return _overlap(height, (window.top, window.bottom), low, high)

    def across(low: float, high: float) -> NDArray[np.float64]:
        return _overlap(width, (window.left, window.right), low, high)

    weights = [
        np.outer(down(0, 1 / 3), across(0, 1)),
        np.outer(down(2 / 3, 1), across(0, 1)),
        (np.outer(down(0, 1), across(0, 1)) - np.outer(down(1 / 8, 7 / 8), across(1 / 8, 7 / 8))).round(12),
        np.outer(down(0, 1 / 4) + down(3 / 4, 1), across(0, 1 / 4) + across(3 / 4, 1)),
    ]
    return np.asarray(np.stack(weights), np.float32)


def touched(mask: NDArray[np.bool_], height: int, width: int, window: Window = WHOLE) -> NDArray[np.bool_]:
    """Cells of a grid (height, width) that an object's mask, bool (H, W), touches.

    Args:
        mask: over the classifier's input.
        height, width: of the grid of cells.
        window: where the grid lies over the input; what lies outside of it touches no cell.
    """
    rows, columns = np.nonzero(mask)
    down = _cell_of(rows, mask.shape[0], height, window.top, window.bottom)
    across = _cell_of(columns, mask.shape[1], width, window.left, window.right)
    inside = (down >= 0) & (down < height) & (across >= 0) & (across < width)
    cells = np.zeros((height, width), np.bool_)
    cells[down[inside], across[inside]] = True
    return cells


def _cell_of(pixels: NDArray[np.intp], side: int, cells: int, start: float, stop: float) -> NDArray[np.intp]:
    """The cell that each pixel of an axis lies in; -1, or `cells` and more, outside of the grid."""
    if (start, stop) == (0, 1):
        return np.asarray(pixels * cells // side)
    found: NDArray[np.intp] = np.floor(((pixels + 0.5) / side - start) / (stop - start) * cells).astype(np.intp)
    return found


def positive_shares(evidence: Floats) -> Floats:
    """Positive evidence (h, w) as shares that add up to 1; zeros where there is none."""
    positive = np.maximum(evidence, 0).astype(np.float64)
    shares: Floats = (positive / (positive.sum() or 1.0)).astype(np.float32)
    return shares


def off_centre(shares: Floats, window: Window = WHOLE) -> float:
    """Distance of the evidence's centre of mass from the picture's, 0 to about 0.7, in sides of the picture."""
    height, width = shares.shape
    rows = window.top + (window.bottom - window.top) * ((np.arange(height) + 0.5) / height)
    columns = window.left + (window.right - window.left) * ((np.arange(width) + 0.5) / width)
    return float(np.hypot(shares.sum(axis=1) @ (rows - 0.5), shares.sum(axis=0) @ (columns - 0.5)))


def uniformity(shares: Floats) -> float:
    """Entropy of the shares over that of evenly spread ones: 1 is everywhere alike, 0 is one cell alone."""
    known = shares[shares > 0].astype(np.float64)
    return float(-(known * np.log(known)).sum() / np.log(shares.size)) if shares.size > 1 else 1.0


def _overlap(cells: int, span: tuple[float, float], low: float, high: float) -> NDArray[np.float64]:
    """Which part of each of so many cells along a span lies between low and high."""
    edges = np.linspace(*span, cells + 1).clip(low, high)
    return np.asarray(np.diff(edges) * (cells / (span[1] - span[0])))
