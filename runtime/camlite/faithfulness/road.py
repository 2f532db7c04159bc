"""ROAD, remove and debias (Rong, Leemann, Borisov, Kasneci and Kasneci, ICML 2022): does the class go with the heat?

The hottest pixels are taken away and made up from what is left around them, so that neither their edges nor a foreign
colour can give the class away. The sooner the classifier names another class, the better the map. Most relevant first,
as the paper's MoRF and as Quantus has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlite.faithfulness.imputation import impute
from camlite.faithfulness.insertion_deletion import order
from camlite.faithfulness.score import Heat, Picture, Score

PERCENTAGES = (10, 30, 50, 70, 90)
"""How many of 100 pixels are taken away."""
NOISE = 0.01
"""Standard deviation of the noise that is added to what is made up, in units of the range of pixels."""


def frames(image: Picture, heat: Heat, noise: NDArray[np.floating[Any]], percentages: Sequence[int]) -> Picture:
    """The pictures that ROAD scores: (len(percentages), H, W, C) of the picture's dtype; uint8 is rounded.

    Args:
        image: (H, W, C).
        heat: (H, W).
        noise: (H, W, C), in the picture's units, added where pixels are made up.
        percentages: of the pixels that are taken away, above 0 and below 100.
    """
    hottest, found = order(heat), []
    for percentage in percentages:
        gone = np.zeros(heat.size, np.bool_)
        gone[hottest[: int(heat.size * percentage / 100)]] = True
        gone = gone.reshape(heat.shape)
        made_up = impute(image, gone) + np.where(gone[..., np.newaxis], noise, 0)
        found.append(made_up if image.dtype != np.uint8 else np.rint(made_up).clip(0, 255))
    pictures: Picture = np.stack(found).astype(image.dtype)
    return pictures


def kept(
    score: Score,
    image: Picture,
    heat: Heat,
    k: int,
    noise: NDArray[np.floating[Any]],
    percentages: Sequence[int] = PERCENTAGES,
) -> NDArray[np.bool_]:
    """Whether the classifier still names class k, after each percentage: (len(percentages),).

    The figure of a picture is their mean: lower is better.
    """
    scores = score(frames(image, heat, noise, percentages))
    return np.asarray(scores.argmax(axis=1) == k)
