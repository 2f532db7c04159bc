"""`camlite.show.colours`: the colour maps."""

from __future__ import annotations

import numpy as np
import pytest

from camlite.show.colours import COLOUR_MAPS, colourize

PLACES = np.linspace(0, 1, 256, dtype=np.float32)[np.newaxis]

# 33 of the 256 colours are kept; by how much interpolation between them is off, of 255, as measured: 1.42, 1.71, 5.63.
OFF = {"inferno": 1.5, "viridis": 1.8, "cividis": 5.7}

# Machado, Oliveira and Fernandes, 2009: linear RGB as somebody without red, without green receptors sees it.
BLIND = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
}


def linear(colours: np.ndarray) -> np.ndarray:
    """sRGB 0..255 to linear light."""
    share = colours / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def lightness(light: np.ndarray) -> np.ndarray:
    """CIE L* of linear RGB."""
    luminance = (light @ [0.2126, 0.7152, 0.0722]).clip(0, 1)
    return np.where(luminance > 216 / 24389, 116 * np.cbrt(luminance) - 16, luminance * 24389 / 27)


@pytest.mark.parametrize("name", COLOUR_MAPS)
def test_colours_are_those_of_the_map_that_is_named(name):
    colormaps = pytest.importorskip("matplotlib").colormaps

    colours = colourize(PLACES, name)[0]

    assert (colours.shape, colours.dtype) == ((256, 3), np.float32)
    expected = np.array(colormaps[name].colors) * 255
    np.testing.assert_allclose(colours, expected, rtol=0, atol=OFF[name])


def smallest_step(colours: np.ndarray) -> float:
    """Of lightness, over the mean step; 1 where all are even."""
    steps = np.diff(lightness(linear(colours)))
    return float(steps.min() / steps.mean())


@pytest.mark.parametrize("name", COLOUR_MAPS)
def test_colours_grow_lighter_in_even_steps(name):
    # Measured: inferno 0.51 (near black, where L* and CAM02 differ), viridis 0.91, cividis 0.89.
    assert smallest_step(colourize(PLACES[:, ::16], name)[0]) > 0.5


def test_a_map_that_was_not_made_for_it_does_not():
    hot = pytest.importorskip("matplotlib").colormaps["hot"]

    assert smallest_step(hot(PLACES[0, ::16])[:, :3] * 255) < 0.05  # measured: 0.026


@pytest.mark.parametrize("name", COLOUR_MAPS)
@pytest.mark.parametrize("blindness", BLIND)
def test_hotter_is_lighter_for_the_colour_blind_too(name, blindness):
    seen = (linear(colourize(PLACES[:, ::16], name)[0]) @ np.array(BLIND[blindness]).T).clip(0, 1)

    assert (np.diff(lightness(seen)) > 0).all()


def test_the_ends_are_the_first_and_the_last_colour():
    for name, table in COLOUR_MAPS.items():
        assert np.array_equal(colourize(np.array([[0, 1]], np.float32), name)[0], table[[0, -1]])
