"""`camlite.maps.hot_region`: peak, hot region and quadrants."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from camlite.maps import hot_region

WHOLE = (slice(0, 40), slice(0, 60))


def heatmap(*rows: str) -> np.ndarray:
    """Digits as tenths."""
    return np.array([[int(digit) / 9 for digit in row] for row in rows], np.float32)


def test_the_box_holds_the_places_of_half_the_peak_that_hang_together_with_it():
    region = hot_region.find(
        heatmap(
            "900000",  # as hot, but first: the peak
            "550000",
            "000009",  # not connected
            "000055",
        ),
        WHOLE,
    )

    assert region.peak == (5, 5)
    assert region.box == (0, 0, 20, 20)


def test_a_corner_does_not_connect():
    assert hot_region.find(heatmap("90", "09"), WHOLE).box == (0, 0, 30, 20)


def test_a_winding_region_is_followed_to_its_end():
    region = hot_region.find(heatmap("955555", "000005", "555555", "500000", "555550"), (slice(0, 5), slice(0, 6)))

    assert region.box == (0, 0, 6, 5)


def test_places_are_pixels_of_the_image_that_the_window_is_cut_from():
    region = hot_region.find(heatmap("00", "09"), (slice(10, 20), slice(100, 300)))

    assert region.peak == (250, 17)
    assert region.box == (200, 15, 300, 20)


@pytest.mark.parametrize(
    ("rows", "shares"),
    [
        (("90", "00"), (1, 0, 0, 0)),
        (("00", "93"), (0, 0, 0.75, 0.25)),
        (("010", "000", "000"), (0.5, 0.5, 0, 0)),
        (("9",), (0.25, 0.25, 0.25, 0.25)),
    ],
)
def test_quadrants_share_the_heat(rows, shares):
    names = ("upper_left", "upper_right", "lower_left", "lower_right")

    assert hot_region.find(heatmap(*rows), WHOLE).quadrants == pytest.approx(dict(zip(names, shares, strict=True)))


def test_where_nothing_is_hot_there_is_no_region():
    assert hot_region.find(np.zeros((3, 3), np.float32), WHOLE) is None


heats = arrays.arrays(np.float32, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.floats(0, 1, width=32))


@given(
    heat=heats, top=st.integers(0, 50), height=st.integers(1, 500), left=st.integers(0, 50), width=st.integers(1, 99)
)
def test_peak_and_box_lie_in_the_window_and_the_shares_add_up(heat, top, height, left, width):
    region = hot_region.find(heat, (slice(top, top + height), slice(left, left + width)))

    if region is not None:
        x, y = region.peak
        assert left <= region.box[0] <= x < region.box[2] <= left + width
        assert top <= region.box[1] <= y < region.box[3] <= top + height
        assert sum(region.quadrants.values()) == pytest.approx(1)
