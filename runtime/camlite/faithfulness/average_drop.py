"""Average drop and increase (Chattopadhay, Sarkar, Howlader and Balasubramanian, Grad-CAM++, WACV 2018).

The classifier is shown the picture times the heatmap: black where there is no heat. How much of the score goes, and on
how many pictures does it grow?
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from camlite.faithfulness.score import Heat, Picture


class Drop(NamedTuple):
    """Of one picture; the paper's figures are means over pictures.

    Attributes:
        drop: share of the score that is lost, 0..1: lower is better; NaN where there is no score to lose.
        increase: 1 where the score is higher than that of the whole picture, else 0: higher is better.
    """

    drop: float
    increase: float


def frame(image: Picture, heat: Heat) -> Picture:
    """The picture times the heat, (H, W, C) of the picture's dtype; uint8 is rounded.

    Args:
        image: (H, W, C), pixels: 0 is black.
        heat: (H, W) in 0..1.
    """
    shown = image * heat[..., np.newaxis]
    pictures: Picture = (np.rint(shown) if image.dtype == np.uint8 else shown).astype(image.dtype)
    return pictures


def drop(whole: float, shown: float) -> Drop:
    """From the score of the whole picture and that of `frame`."""
    lost = max(0.0, whole - shown) / whole if whole > 0 else np.nan
    return Drop(lost, float(shown > whole))
