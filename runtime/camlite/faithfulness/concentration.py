"""How few pixels hold the heat. That says nothing of whether they are the right ones."""

from __future__ import annotations

import numpy as np

from camlite.faithfulness.score import Heat

# Quantus adds them so that a map of zeros has a figure; with them figures are equal.
_SPARSE, _COMPLEX = 1e-7, 1e-12


def sparsity(heat: Heat) -> float:
    """Gini index of the heat (Chalasani, Chen, Chowdhury, Jha and Wu, ICML 2020): 0..1, higher is sparser.

    0 is the same heat everywhere, near 1 is all of it in one pixel. NaN where there is no heat.

    Args:
        heat: (H, W), not negative.
    """
    values = np.sort(heat.ravel().astype(np.float64))
    if not values[-1] > 0:
        return float("nan")
    values = values / values[-1] + _SPARSE
    ranks = np.arange(1, len(values) + 1)
    return float(((2 * ranks - len(values) - 1) * values).sum() / (len(values) * values.sum()))


def complexity(heat: Heat) -> float:
    """Entropy of the shares of the heat (Bhatt, Weller and Moura, IJCAI 2020), in nats: lower is simpler.

    0 is all of it in one pixel, log(H * W) the same everywhere. NaN where there is no heat.

    Args:
        heat: (H, W), not negative.
    """
    values = heat.ravel().astype(np.float64)
    if not values.sum() > 0:
        return float("nan")
    shares = values / values.sum()
    return float(-(shares * np.log(shares + _COMPLEX)).sum())
