"""How alike two maps are in their order of places."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def spearman(first: NDArray[np.floating[Any]], second: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Rank correlation of N pairs of maps, of their absolute values as in Quantus: float64 (N,), -1..1.

    Equal values share the mean of their ranks (Spearman, 1904). 0 where a map is the same everywhere, as that of a dead
    classifier is: it has no order.

    Args:
        first, second: (N, h, w).
    """
    from scipy.stats import rankdata

    ranks = [rankdata(np.abs(maps).reshape(len(maps), -1), axis=1) for maps in (first, second)]
    centred = [rank - rank.mean(axis=1, keepdims=True) for rank in ranks]
    sizes = np.sqrt((centred[0] ** 2).sum(axis=1) * (centred[1] ** 2).sum(axis=1))
    products = (centred[0] * centred[1]).sum(axis=1)
    return np.divide(products, sizes, out=np.zeros(len(first)), where=sizes > 0)
