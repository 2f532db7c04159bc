"""Where in a picture evidence lies: shares of regions, on the cells of the feature map.

A feature map cannot tell apart what lies in one of its cells. So a cell that the object touches counts as the
object's, and evidence that is spread evenly lies on the object as often as such cells do: chance is known.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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


def region_weights(height: int, width: int) -> Floats:
    """How much of each cell lies in each of `REGIONS`: float32 (4, height, width) in 0..1."""
    everything = (_overlap(height, 0, 1), _overlap(width, 0, 1))
    ends = [_overlap(side, 0, 1 / 4) + _overlap(side, 3 / 4, 1) for side in (height, width)]
    inner = np.outer(_overlap(height, 1 / 8, 7 / 8), _overlap(width, 1 / 8, 7 / 8))
    weights = [
        np.outer(_overlap(height, 0, 1 / 3), everything[1]),
        np.outer(_overlap(height, 2 / 3, 1), everything[1]),
        (1 - inner).round(12),
        np.outer(*ends),
    ]
    return np.asarray(np.stack(weights), np.float32)


def touched(mask: NDArray[np.bool_], height: int, width: int) -> NDArray[np.bool_]:
    """Cells of a grid (height, width) that an object's mask, bool (H, W), touches."""
    rows, columns = np.nonzero(mask)
    cells = np.zeros((height, width), np.bool_)
    cells[rows * height // mask.shape[0], columns * width // mask.shape[1]] = True
    return cells


def positive_shares(evidence: Floats) -> Floats:
    """Positive evidence (h, w) as shares that add up to 1; zeros where there is none."""
    positive = np.maximum(evidence, 0).astype(np.float64)
    shares: Floats = (positive / (positive.sum() or 1.0)).astype(np.float32)
    return shares


def off_centre(shares: Floats) -> float:
    """Distance of the evidence's centre of mass from the picture's, 0 to about 0.7, in sides of the picture."""
    height, width = shares.shape
    down = shares.sum(axis=1) @ ((np.arange(height) + 0.5) / height - 0.5)
    across = shares.sum(axis=0) @ ((np.arange(width) + 0.5) / width - 0.5)
    return float(np.hypot(down, across))


def uniformity(shares: Floats) -> float:
    """Entropy of the shares over that of evenly spread ones: 1 is everywhere alike, 0 is one cell alone."""
    known = shares[shares > 0].astype(np.float64)
    return float(-(known * np.log(known)).sum() / np.log(shares.size)) if shares.size > 1 else 1.0


def _overlap(cells: int, low: float, high: float) -> NDArray[np.float64]:
    """Which part of each of so many cells along 0..1 lies between low and high."""
    edges = np.linspace(0, 1, cells + 1).clip(low, high)
    return np.asarray(np.diff(edges) * cells)
