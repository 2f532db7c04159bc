"""The blurred baseline."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from camlite.faithfulness import blurring


@pytest.mark.parametrize("shape", [(28, 28, 1), (30, 50, 3), (5, 224, 3), (1, 9, 1)])
@pytest.mark.parametrize("sigma", [20 / 224, 0.02])
def test_it_is_the_gaussian_filter_of_scipy(shape, sigma):
    image = np.random.default_rng(0).random(shape)

    pixels = sigma * max(shape)
    expected = gaussian_filter(image, (pixels, pixels, 0), mode="reflect")
    np.testing.assert_allclose(blurring.blurred(image, sigma), expected, atol=1e-12)


def test_whole_pixels_stay_whole_and_a_plain_picture_stays_what_it_is():
    plain = np.full((20, 30, 3), 201, np.uint8)

    soft = blurring.blurred(plain)

    assert soft.dtype == np.uint8
    np.testing.assert_array_equal(soft, plain)


def test_the_blur_grows_with_the_picture():
    """What is left of a step is the same share of the side."""
    small, large = (np.repeat([0.0, 1.0], side // 2)[np.newaxis, :, np.newaxis].repeat(side, 0) for side in (28, 112))

    np.testing.assert_allclose(
        blurring.blurred(small).mean(axis=0)[::4, 0].mean(),
        blurring.blurred(large).mean(axis=0)[::16, 0].mean(),
        atol=0.02,
    )
    assert blurring.blurred(large)[0, 0, 0] == pytest.approx(blurring.blurred(small)[0, 0, 0], abs=0.01)
