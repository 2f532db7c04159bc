"""With masks: does the heat lie on the object? A map without heat does not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from camlite.faithfulness.score import Heat


def pointing(heat: Heat, mask: NDArray[np.bool_]) -> float:
    """The pointing game (Zhang, Bargal, Lin, Brandt, Shen and Sclaroff, IJCV 2018), without a tolerance.

    Args:
        heat: (H, W), not negative.
        mask: (H, W), where the object is.

    Returns:
        1 where a hottest pixel lies on the object, else 0; NaN where the mask is empty.
    """
    if not mask.any():
        return float("nan")
    peak = heat.max()
    return float(peak > 0 and bool((mask & (heat == peak)).any()))


def share(heat: Heat, mask: NDArray[np.bool_]) -> float:
    """Share of the heat on the object: relevance mass accuracy (Arras, Osman and Samek, Information Fusion 2022).

    Args:
        heat: (H, W), not negative.
        mask: (H, W), where the object is.

    Returns:
        0..1, higher is better; NaN where the mask is empty.
    """
    if not mask.any():
        return float("nan")
    whole = float(heat.sum(dtype=np.float64))
    return float(heat[mask].sum(dtype=np.float64)) / whole if whole > 0 else 0.0
