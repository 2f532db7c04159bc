"""Lay the colours of a heatmap over a picture. Pure numpy."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from camlite.images.preprocessing import LUMA, Pixels
from camlite.show.colours import colourize

_LEVELS = 1024
_STRIP = 16
_COLOUR = np.dtype("V3")


def lay_over(image: Pixels, heatmap: NDArray[np.float32], opacity: float, colour_map: str = "inferno") -> Pixels:
    """Lay the colours of a heatmap (H, W) over a checked image (H, W, channels): uint8 (H, W, 3).

    The image is drawn in grey, so that all colour is evidence; the colours are the more opaque the hotter.

    Args:
        opacity: of the hottest place, 0..1.
        colour_map: a key of `camlite.show.colours.COLOUR_MAPS`.
    """
    drawn = np.empty((*heatmap.shape, 3), np.uint8)
    lay = _blended_strip if heatmap.size <= _LEVELS * 256 else _looked_up_strip
    for top in range(0, len(drawn), _STRIP):  # in strips, so that what is between stays in the processor's cache
        strip = slice(top, top + _STRIP)
        lay(image[strip], np.sqrt(heatmap[strip]), opacity, colour_map, drawn[strip])
    return drawn


def _blended_strip(image: Pixels, root: NDArray[np.float32], opacity: float, colour_map: str, drawn: Pixels) -> None:
    grey = image @ LUMA if image.shape[2] == 3 else image[..., 0].astype(np.float32)
    drawn[...] = _blend(grey, root, opacity, colour_map)


def _looked_up_strip(image: Pixels, root: NDArray[np.float32], opacity: float, colour_map: str, drawn: Pixels) -> None:
    places = (root * np.float32(_LEVELS - 1) + np.float32(0.5)).astype(np.intp)
    places <<= 8
    places += _grey(image)
    _blended(opacity, colour_map).take(places, out=drawn.view(_COLOUR)[..., 0], mode="clip")


def _grey(image: Pixels) -> Pixels:
    if image.shape[2] == 1:
        return image[..., 0]
    grey = image.reshape(-1, 3).astype(np.float32).dot(LUMA)
    return np.asarray(np.rint(grey).astype(np.uint8)).reshape(image.shape[:2])


def _blend(grey: NDArray[np.float32], root: NDArray[np.float32], opacity: float, colour_map: str) -> Pixels:
    """Grey 0..255 and the root of the heat, both (H, W), to uint8 (H, W, 3)."""
    share = (opacity * root)[..., np.newaxis]
    blended = grey[..., np.newaxis] * (1 - share) + colourize(root * root, colour_map) * share
    return np.rint(blended).astype(np.uint8)


@functools.lru_cache(maxsize=2)
def _blended(opacity: float, colour_map: str) -> NDArray[np.void]:
    """`_blend` of each grey at each level of heat, of which a picture has fewer than it has pixels.

    Levels are even in the root of the heat, where the colours change evenly. With 1024 of them, and grey rounded, a
    colour is at most 1 of 255 from what `_blend` gives; with 256, 4.
    """
    roots = np.linspace(0, 1, _LEVELS, dtype=np.float32)[:, np.newaxis]
    colours = _blend(np.arange(256, dtype=np.float32)[np.newaxis], roots, opacity, colour_map)
    return np.asarray(colours.view(_COLOUR)).reshape(-1)
