"""What scores pictures: an artifact on its interpreter, or the original classifier."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Heat = NDArray[np.floating[Any]]
Picture = NDArray[Any]


class Score(Protocol):
    """Scores pictures: (N, H, W, C) -> (N, K), one number per class, not negative (probabilities)."""

    def __call__(self, images: Picture, /) -> NDArray[np.floating[Any]]:
        """Scores of N pictures, in their order."""
        ...
