"""Colour maps: from a heatmap to colours that grow evenly from dark to bright."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def _table(text: str) -> Floats:
    return np.frombuffer(bytes.fromhex(text), np.uint8).reshape(-1, 3).astype(np.float32)


# 33 of the 256 colours of each, evenly spaced. Linear interpolation between them stays within 1.5 of 255 of the whole
# inferno, within 1.8 of viridis and within 6 of cividis, whose last three colours leave the curve.
COLOUR_MAPS: Mapping[str, Floats] = {
    # van der Walt and Smith, 2015; CC0: perceptually uniform, brightness alone tells the order.
    "inferno": _table(
        "0000040403120b0724150b37210c4a2e0a5a3c09654a0c6b57106d63146e70196e"
        "7d1e6d89226a962766a32b61af315cbb3755c63e4dd14644db4f3be35932eb6528"
        "f1711ef67f14f98d0afb9c06fcab0ffbba1ff9ca32f5d949f2e865f3f586fcffa4"
    ),
    # Firing, van der Walt and Smith, 2015; CC0: perceptually uniform, never black.
    "viridis": _table(
        "440154470d6048186a482374472d7b4536814240863f49893b528b375a8d33638d"
        "2f6a8e2c728e297a8e26818e23898e21908c1f988b1f9f8821a68528ae8031b57b"
        "3ebc744cc26c5dc9636ece5882d34c96d83fabdc32c0df24d5e21aeae51afde725"
    ),
    # Nunez, Anderton and Renslow, 2018: looks the same with and without red-green colour blindness.
    "cividis": _table(
        "00224e00285b002e6a0433711a386f273e6e32436d3b496c434e6c4b546c52596d"
        "5a5f6e61656f686a716f70737576767c7b788481798b8778938d789b9376a39a75"
        "aba072b3a670bbad6cc3b469ccba64d4c15fddc958e6d051efd748f8df3cfee838"
    ),
}


def colourize(heatmap: Floats, colour_map: str = "inferno") -> Floats:
    """Colours of a heatmap (h, w) in 0..1: float32 (h, w, 3) in 0..255, from dark to bright.

    Args:
        heatmap: float32, 0..1.
        colour_map: a key of `COLOUR_MAPS`.
    """
    table = COLOUR_MAPS[colour_map]
    places = heatmap * (len(table) - 1)
    below = np.minimum(places.astype(np.intp), len(table) - 2)
    share = (places - below.astype(np.float32))[..., np.newaxis]
    return np.asarray(table.take(below, axis=0) * (1 - share) + table.take(below + 1, axis=0) * share)


def ramp(places: int = 64) -> list[list[int]]:
    """So many colours of inferno, from cold to hot: red, green and blue each, 0..255. What the page draws with."""
    heat = np.linspace(0, 1, places, dtype=np.float32)[np.newaxis]
    colours: list[list[int]] = colourize(heat).round().astype(int)[0].tolist()
    return colours
