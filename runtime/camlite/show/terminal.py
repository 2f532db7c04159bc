"""A picture in a terminal, for a device without a screen: coloured half blocks, or plain characters."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from camlite.images import picture_files
from camlite.images.preprocessing import Pixels
from camlite.show.colours import Floats

Level = Literal["truecolor", "256", "ascii"]

_RAMP = np.array(list(" .:-=+*#%@"))
_BLOCK = "\N{UPPER HALF BLOCK}"
_RESET = "\x1b[0m"
# xterm's colours 16 to 255: a cube of 6 x 6 x 6, then 24 greys.
_CUBE = np.array(list(product((0, 95, 135, 175, 215, 255), repeat=3)), np.int32)
_GREYS = np.repeat(np.arange(8, 248, 10, dtype=np.int32)[:, np.newaxis], 3, axis=1)
_PALETTE = np.concatenate([_CUBE, _GREYS])


def level(environment: Mapping[str, str] = os.environ) -> Level:
    """What standard output can show: colours where it is a terminal, see https://no-color.org."""
    output = sys.stdout
    if output is None or not output.isatty() or environment.get("NO_COLOR") or environment.get("TERM") == "dumb":
        return "ascii"
    try:
        _BLOCK.encode(output.encoding or "ascii")
    except UnicodeEncodeError:
        return "ascii"
    return "truecolor" if environment.get("COLORTERM") in ("truecolor", "24bit") else "256"


def coloured(pixels: Pixels, columns: int, shown: Level) -> str:
    """A picture uint8 (H, W, 3) as lines of half blocks, two pixels in each."""
    rows = 2 * max(1, round(pixels.shape[0] * columns / pixels.shape[1] / 2))
    small = np.asarray(picture_files.pillow("PIL.Image").fromarray(pixels).resize((columns, rows)))
    return "\n".join(
        "".join(_cell(above, below, shown) for above, below in zip(*pair, strict=True)) + _RESET
        for pair in zip(small[::2], small[1::2], strict=True)
    )


def plain(heat: Floats, columns: int) -> str:
    """A heatmap (H, W) in 0..1 as characters, the darker the hotter, in a frame."""
    rows = max(1, round(heat.shape[0] * columns / heat.shape[1] / 2))
    small = np.asarray(picture_files.pillow("PIL.Image").fromarray(heat).resize((columns, rows)))
    places = np.rint(small.clip(0, 1) * (len(_RAMP) - 1)).astype(np.intp)
    edge = f"+{'-' * columns}+"
    return "\n".join([edge, *(f"|{''.join(row)}|" for row in _RAMP[places]), edge])


def _cell(above: NDArray[np.uint8], below: NDArray[np.uint8], shown: Level) -> str:
    return f"\x1b[38;{_colour(above, shown)};48;{_colour(below, shown)}m{_BLOCK}"


def _colour(colour: NDArray[np.uint8], shown: Level) -> str:
    if shown == "truecolor":
        return "2;" + ";".join(map(str, colour))
    return f"5;{16 + int(np.abs(_PALETTE - colour).sum(axis=1).argmin())}"
