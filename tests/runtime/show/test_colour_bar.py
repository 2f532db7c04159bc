"""`camlite.show.colour_bar`: the scale below a picture."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("PIL")

from camlite.show import colour_bar, text_strip
from camlite.show.colours import colourize

RAMP = np.rint(colourize(np.linspace(0, 1, 256, dtype=np.float32)[np.newaxis])).astype(np.uint8)


@pytest.mark.parametrize("peak", [1e-7, 0.0123, 3.26, 1234.5, 3.4e38])
@pytest.mark.parametrize(("width", "panel"), [(112, 112), (224, 224), (908, 224), (1280, 1280)])
def test_it_grows_from_the_first_colour_to_the_last_and_fits(peak, width, panel):
    bar = colour_bar.bar(RAMP, peak, width, panel)

    assert bar.shape[1] == width
    assert bar.shape[0] <= colour_bar.HIGHEST
    assert not (bar[:, -2:] != text_strip.PAPER).any()  # nothing is cut off
    middle = bar[8]
    first, last = (np.flatnonzero((middle == colour).all(axis=1)) for colour in (RAMP[0, 0], RAMP[0, -1]))
    assert first[0] < last[-1]


def test_the_number_is_that_of_the_peak():
    bars = [colour_bar.bar(RAMP, peak, 224, 224) for peak in (1.0, 2.0)]

    assert bars[0].shape == bars[1].shape
    assert (bars[0] != bars[1]).any()


@pytest.mark.parametrize(("number", "text"), [(3.264, "3.26"), (0.0004, "0.0004"), (1234.5, "1234"), (2e7, "2e+07")])
def test_numbers_are_short(number, text):
    assert colour_bar._short(number) == text


def test_where_nothing_speaks_for_any_class_there_is_no_scale_but_words():
    bar = colour_bar.bar(RAMP, 0.0, 224, 224)

    np.testing.assert_array_equal(bar, text_strip.strip("no evidence for it", 224)[: colour_bar.HIGHEST])


@pytest.mark.parametrize(("peak", "panel"), [(0.0, 224), (3.26, 112), (3.26, 224)])
def test_its_text_is_as_large_below_several_panels_as_below_one(peak, panel):
    one, several = (colour_bar.bar(RAMP, peak, width, panel) for width in (panel, 4 * panel))

    assert several.shape == (one.shape[0], 4 * panel, 3)
    np.testing.assert_array_equal(several[:, :panel], one)
    assert (several[:, panel:] == text_strip.PAPER).all()
