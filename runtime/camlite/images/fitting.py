"""Pictures and masks at the size of a classifier's input: what it sees, as pixels that people can look at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from camlite.artifact.card import Preprocessing
from camlite.images import preprocessing
from camlite.images.preprocessing import Pixels


class Fitting:
    """Fits pictures to one classifier, and leaves their numbers 0..255."""

    def __init__(self, target: Preprocessing) -> None:
        ones, zeros = (1.0,) * target.channels, (0.0,) * target.channels
        self._whole = target._replace(scale=ones, offset=zeros, order="rgb")
        self._grey = self._whole._replace(channels=1, scale=(1.0,), offset=(0.0,))

    def picture(self, pixels: Pixels) -> Pixels:
        """A checked picture (H, W, 1 or 3) as uint8 (height, width, channels); the classifier answers it alike."""
        if pixels.shape == (self._whole.height, self._whole.width, self._whole.channels):
            return pixels
        return np.rint(preprocessing.prepare(pixels, self._whole)).clip(0, 255).astype(np.uint8)

    def mask(self, mask: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
        """A mask (H, W) as bool (height, width), None where nothing of it is seen.

        Pixels that it covers in part are the object's.
        """
        if mask is None:
            return None
        fitted = np.asarray(preprocessing.prepare(mask[..., np.newaxis].astype(np.uint8), self._grey)[..., 0] > 0)
        return fitted if fitted.any() else None
