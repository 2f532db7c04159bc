"""`camlite.faithfulness.one_picture`: all measures of a picture's maps, with ROAD or without."""

from __future__ import annotations

import numpy as np

from camlite.faithfulness import one_picture
from camlite.faithfulness.measures import NAMES

RANDOM = np.random.default_rng(0)
IMAGE = RANDOM.integers(0, 256, (12, 16, 1), np.uint8)
HEATS = RANDOM.uniform(0, 1, (2, 12, 16))


def score(images: np.ndarray) -> np.ndarray:
    """Two classes: how bright the left half is, and the rest."""
    bright = np.asarray(images, np.float64)[:, :, :8].mean(axis=(1, 2, 3)) / 255
    return np.stack([bright, 1 - bright], axis=1)


def test_without_road_all_other_figures_are_the_same_and_road_is_not_there():
    all_of_them = one_picture.measure(score, IMAGE, HEATS, 0).values
    without = one_picture.measure(score, IMAGE, HEATS, 0, road_too=False).values

    road = NAMES.index("road")
    assert np.isfinite(all_of_them[:, road]).all()
    assert np.isnan(without[:, road]).all()
    rest = [index for index in range(len(NAMES)) if index != road]
    np.testing.assert_array_equal(without[:, rest], all_of_them[:, rest])
