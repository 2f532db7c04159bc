"""Choose the golden samples that an artifact carries, with the Keras reference's answers for them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from camlite import cam, image
from camlite.card import Preprocessing
from camlite_export.labelled_images import LabelledImages

_SAMPLES = 4
_LARGEST_SIDE = 64
_DETAIL = 6


def choose(calibration: LabelledImages | None, target: Preprocessing) -> NDArray[np.uint8]:
    """Golden images, uint8 (N, H, W, channels), at most 64 pixels a side: the device resizes them as any image.

    Calibration images of different classes; seeded random fields where there are none.
    """
    height, width = min(target.height, _LARGEST_SIDE), min(target.width, _LARGEST_SIDE)
    if calibration is None:
        return _random_fields(height, width, target.channels)
    small = Preprocessing(
        height, width, target.channels, (1.0,) * target.channels, (0.0,) * target.channels, target.fit
    )
    chosen = calibration.first_of_each_class(_SAMPLES)
    return np.stack([np.rint(image.prepare(calibration[i], small)).clip(0, 255).astype(np.uint8) for i in chosen])


def _random_fields(height: int, width: int, channels: int) -> NDArray[np.uint8]:
    random = np.random.default_rng(0)
    rows, columns = cam.resize_matrix(_DETAIL, height), cam.resize_matrix(_DETAIL, width)
    coarse = random.uniform(0, 255, (_SAMPLES, channels, _DETAIL, _DETAIL)).astype(np.float32)
    fields = np.moveaxis(rows @ coarse @ columns.T, 1, -1)
    return np.asarray(np.rint(fields).astype(np.uint8))
