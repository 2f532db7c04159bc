"""`camlite.show.overlay`: the colours of a heatmap over a picture."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from camlite.show import colours
from camlite.show.overlay import lay_over

sides = st.integers(1, 12)
pictures = st.tuples(sides, sides, st.sampled_from([1, 3])).flatmap(lambda shape: arrays.arrays(np.uint8, shape))

heats = st.floats(0, 1, width=32)


@given(st.data(), pictures, st.floats(0, 1))
def test_an_overlay_has_the_size_of_the_image_and_three_channels(data, pixels, opacity):
    heatmap = data.draw(arrays.arrays(np.float32, pixels.shape[:2], elements=heats))

    overlay = lay_over(pixels, heatmap, opacity)

    assert (overlay.dtype, overlay.shape) == (np.uint8, (*pixels.shape[:2], 3))


@given(st.data(), pictures, st.floats(0, 1))
def test_an_overlay_blends_grey_with_the_colour_of_the_heat(data, pixels, opacity):
    heatmap = data.draw(arrays.arrays(np.float32, pixels.shape[:2], elements=heats))

    overlay = lay_over(pixels, heatmap, opacity)

    for y, x in product(*map(range, heatmap.shape)):
        pixel, heat = pixels[y, x].astype(float), float(heatmap[y, x])
        grey = pixel @ [0.299, 0.587, 0.114] if len(pixel) == 3 else pixel[0]
        share = opacity * heat**0.5
        expected = grey * (1 - share) + colours.colourize(heatmap)[y, x] * share
        # Rounded to whole numbers, where float32 may fall to the other side of a half.
        np.testing.assert_allclose(overlay[y, x], expected, rtol=0, atol=0.501)


@given(pictures)
def test_an_overlay_is_the_image_in_grey_where_there_is_no_heat(pixels):
    overlay = lay_over(pixels, np.zeros(pixels.shape[:2], np.float32), 1.0)

    if pixels.shape[2] == 1:
        assert np.array_equal(overlay, np.repeat(pixels, 3, axis=2))
    assert (overlay == overlay[..., :1]).all()


def test_an_overlay_without_opacity_is_the_image_in_grey():
    pixels = np.arange(24, dtype=np.uint8).reshape(4, 6, 1)

    overlay = lay_over(pixels, np.ones((4, 6), np.float32), 0.0)

    assert np.array_equal(overlay, np.repeat(pixels, 3, axis=2))


def test_the_hottest_place_has_the_brightest_colour_at_full_opacity():
    overlay = lay_over(np.zeros((1, 1, 1), np.uint8), np.ones((1, 1), np.float32), 1.0)

    assert np.array_equal(overlay[0, 0], [252, 255, 164])


@pytest.mark.parametrize("channels", [1, 3])
def test_an_overlay_on_a_frame_of_a_camera_is_that_on_its_parts(channels):
    """A large picture looks its colours up; its parts are small enough to be blended pixel by pixel."""
    random = np.random.default_rng(0)
    frame = random.integers(0, 256, (720, 1280, channels)).astype(np.uint8)
    heatmap = random.random((720, 1280)).astype(np.float32) ** 2

    overlay = lay_over(frame, heatmap, 0.8).astype(int)

    parts = [lay_over(frame[top : top + 120], heatmap[top : top + 120], 0.8) for top in range(0, 720, 120)]
    difference = np.abs(overlay - np.concatenate(parts))
    # One of 255: grey is rounded, and heat has 1024 levels.
    assert difference.max() <= 1
