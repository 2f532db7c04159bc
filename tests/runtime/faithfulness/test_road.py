"""ROAD: the class goes with the pixels that make it, and not with others."""

from __future__ import annotations

import numpy as np

from camlite.faithfulness import road


def sees_the_spot(images):
    """Class 1 where rows and columns 6 to 9 are brighter than the rest."""
    spot = images[:, 6:10, 6:10].mean(axis=(1, 2, 3)) - images[:, :4].mean(axis=(1, 2, 3))
    return np.stack([np.full(len(images), 30.0), spot], axis=1)


def picture() -> tuple[np.ndarray, np.ndarray]:
    image, heat = np.full((16, 16, 3), 40, np.uint8), np.zeros((16, 16))
    image[6:10, 6:10], heat[6:10, 6:10] = 220, 1
    return image, heat


def test_the_class_goes_with_its_pixels():
    image, heat = picture()

    kept = [road.kept(sees_the_spot, image, map_, 1, np.zeros(image.shape)) for map_ in (heat, -heat)]

    assert kept[0].tolist() == [False] * 5
    assert kept[1].tolist() == [True] * 4 + [False]  # in the end all is of its colour, and nothing is brighter


def test_what_is_taken_away_is_the_hottest_share_and_noise_lies_only_there():
    image, heat = picture()
    noise = np.full(image.shape, 5.0)

    frames = road.frames(image, heat, noise, (10, 50))

    assert (frames.shape, frames.dtype) == ((2, 16, 16, 3), np.uint8)
    changed = (frames != image).any(axis=3)
    assert changed.sum(axis=(1, 2)).tolist() == [25, 128]
    # The spot has 16 pixels: it is gone, and what is left around it says 40.
    np.testing.assert_array_equal(frames[0][6:10, 6:10], 45)


def test_pixels_stay_within_their_range():
    image, heat = picture()

    assert road.frames(image, heat, np.full(image.shape, 400.0), (10,)).max() == 255
    assert road.frames(image, heat, np.full(image.shape, -400.0), (10,)).min() == 0
