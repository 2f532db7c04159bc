"""`camlite.show.drawing`: contour lines; the styles as the command draws them are in test_commands_explain.py."""

from __future__ import annotations

import numpy as np
import pytest

from camlite.show import drawing
from camlite.show.colours import COLOUR_MAPS, colourize


def ramp(height: int = 100, width: int = 200) -> np.ndarray:
    """Heat that grows evenly from left to right."""
    return np.tile(np.linspace(0, 1, width, dtype=np.float32), (height, 1))


@pytest.mark.parametrize("grey", [0, 128, 255])
@pytest.mark.parametrize("colour_map", COLOUR_MAPS)
def test_a_contour_is_where_the_heat_has_its_level_in_its_colour_between_dark_lines(grey, colour_map):
    pixels = np.full((100, 200, 3), grey, np.uint8)

    drawn = drawing.contour(pixels, ramp(), colour_map)

    changed = np.flatnonzero((drawn != pixels).any(axis=(0, 2)))
    for level in (0.25, 0.5, 0.75):
        middle = round(level * 199)
        ink = colourize(np.array([[level + 0.25]], np.float32), colour_map)[0, 0]
        np.testing.assert_allclose(drawn[50, middle], ink, rtol=0, atol=1)
        assert drawn[50, middle - 2].max() <= max(128, ink.max()) / 2  # the dark line beside it
    assert all(np.abs(np.array([0.25, 0.5, 0.75]) * 199 - column).min() < 4 for column in changed)


def test_a_flat_heatmap_has_no_contour():
    pixels = np.full((10, 10, 3), 77, np.uint8)

    assert np.array_equal(drawing.contour(pixels, np.zeros((10, 10), np.float32), "inferno"), pixels)


@pytest.mark.parametrize("shape", [(1, 50), (50, 1), (1, 1)])
def test_an_image_of_one_row_or_column_can_be_drawn(shape):
    pixels = np.zeros((*shape, 3), np.uint8)

    assert drawing.contour(pixels, np.zeros(shape, np.float32), "inferno").shape == pixels.shape
