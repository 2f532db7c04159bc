"""The pictures of the audit's report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlite.artifact.card import Window
from camlite.confidence import Interval
from camlite.images.masked_images import Mask
from camlite.images.preprocessing import Pixels
from camlite.maps import cam, resize
from camlite.show import colours, text_strip
from camlite.show.overlay import lay_over
from camlite_export.reports import data_uri

# A panel has about so many pixels a side.
_SIDE = 192
_OUTLINE = (255, 255, 255)


def plain(pixels: Pixels, mask: Mask | None = None) -> str:
    """A picture, with its object outlined."""
    drawn = sized(pixels)
    return data_uri.png(outlined(drawn.repeat(3, axis=2) if drawn.shape[2] == 1 else drawn, mask))


def overlaid(pixels: Pixels, evidence: cam.Floats, window: Window, mask: Mask | None = None) -> str:
    """Evidence (h, w) over its window of a classifier's input, the object outlined."""
    drawn = sized(pixels)
    size, target = (evidence.shape[0], evidence.shape[1]), (drawn.shape[0], drawn.shape[1])
    resizing = resize.Resizing(size, target, window, smooth=True)
    return data_uri.png(outlined(lay_over(drawn, resize.heatmap(evidence, resizing), 0.75), mask))


def heatmap(shares: cam.Floats) -> str:
    """Shares of evidence (h, w), as they are: cell by cell."""
    zoom = max(1, _SIDE // max(shares.shape))
    largest = float(shares.max()) or 1.0
    return data_uri.png(colours.colourize(shares / largest).repeat(zoom, axis=0).repeat(zoom, axis=1))


def intervals(names: Sequence[str], found: Sequence[Interval], limits: tuple[float, float], least: float) -> str:
    """Means with their intervals, a row a class, as SVG.

    Args:
        names: of the classes.
        found: one a class; NaN is left out.
        limits: of the axis.
        least: where the verdict turns, drawn as a line.
    """
    from matplotlib.figure import Figure

    names = [text_strip.name_of(names, k) for k in range(len(names))]
    with data_uri.style("".join(names)):
        figure = Figure(figsize=(4.6, 0.55 + 0.3 * len(names)), layout="constrained")
        axes = figure.subplots()
        axes.axvline(least, color=data_uri.LIMIT, linewidth=1.4)
        for row, one in enumerate(found):
            axes.plot([one.low, one.high], [-row, -row], color=data_uri.FILL, linewidth=4, solid_capstyle="butt")
            axes.plot([one.mean], [-row], "o", color=data_uri.FILL, markersize=6)
        axes.set(xlim=limits, ylim=(0.6 - len(names), 0.6))
        axes.set_yticks([-row for row in range(len(names))], names)
        data_uri.plain_axes(axes)
        return data_uri.svg(figure)


def sized(pixels: Pixels) -> Pixels:
    """Large enough to be seen, and no larger than a page of many can bear."""
    height, width = pixels.shape[:2]
    zoom = _SIDE // max(height, width)
    if zoom:
        return pixels.repeat(zoom, axis=0).repeat(zoom, axis=1)
    scale = _SIDE / max(height, width)
    rows, columns = (
        (np.arange(max(1, round(side * scale))) / scale).astype(int).clip(0, side - 1) for side in (height, width)
    )
    return np.asarray(pixels[np.ix_(rows, columns)])


def outlined(drawn: NDArray[Any], mask: Mask | None) -> NDArray[Any]:
    """A drawn picture with the edge of a mask, bool (H, W) of any size, in white."""
    if mask is None:
        return drawn
    height, width = drawn.shape[:2]
    rows, columns = (np.arange(side) * of // side for side, of in zip((height, width), mask.shape, strict=True))
    large = mask[np.ix_(rows, columns)]
    inner = large.copy()
    inner[1:-1, 1:-1] = large[:-2, 1:-1] & large[2:, 1:-1] & large[1:-1, :-2] & large[1:-1, 2:]
    outlined = drawn.copy()
    outlined[large & ~inner] = _OUTLINE
    return outlined
