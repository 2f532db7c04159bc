"""The pictures of the report of `camlite faithful`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlite.confidence import Interval
from camlite.explainer import Explanation
from camlite.images.masked_images import Mask
from camlite.images.preprocessing import Pixels
from camlite.show.overlay import lay_over
from camlite_export.audit.audit_pictures import outlined, sized
from camlite_export.reports import data_uri

Curves = NDArray[np.float64]

# The artifact's map in the colour that is looked at, the controls in grey: told apart by their dashes, too.
_STYLES = ((data_uri.FILL, "-", 2.2), (data_uri.GREY, "--", 1.4), (data_uri.GREY, ":", 1.8))


def overlaid(picture: Pixels, explanation: Explanation, mask: Mask | None) -> str:
    """The heatmap over the picture, as users see it, with the object outlined."""
    drawn = sized(picture)
    heat = explanation.spread(drawn.shape[0], drawn.shape[1])
    return data_uri.png(outlined(lay_over(drawn, heat, 0.75), mask))


def mean_curves(curves: Curves, names: Sequence[str], title: str) -> str:
    """Curves of several maps over pictures, as SVG: their means.

    Args:
        curves: (n, M, steps + 1); NaN is left out.
        names: of the M maps.
        title: of the vertical axis.
    """
    known = curves[~np.isnan(curves).any(axis=(1, 2))]
    figure, axes = _axes((4.6, 2.9))
    shares = np.linspace(0, 100, curves.shape[2])
    for of_map, name, (colour, dashes, width) in zip(known.mean(axis=0), names, _STYLES, strict=True):
        axes.plot(shares, of_map, color=colour, linestyle=dashes, linewidth=width, label=name)
    axes.set_xlabel("% of pixels, the hottest first", color=data_uri.GREY)
    axes.set_ylabel(title, color=data_uri.GREY)
    axes.legend(frameon=False, labelcolor=data_uri.GREY)
    return _drawn(figure, axes)


def curves_of_picture(curves: Curves) -> str:
    """Insertion and deletion of one picture, (2, steps + 1), as a small SVG without words."""
    figure, axes = _axes((1.6, 1.6))
    shares = np.linspace(0, 100, curves.shape[1])
    axes.plot(shares, curves[0], color=data_uri.FILL, linewidth=2.5)
    axes.plot(shares, curves[1], color=data_uri.LIMIT, linewidth=2.5)
    axes.set(xticks=[0, 50, 100], yticks=[0, 1])
    return _drawn(figure, axes)


def stages(names: Sequence[str], found: Sequence[Interval]) -> str:
    """Rank correlations, a row a stage, as SVG."""
    from matplotlib.figure import Figure

    with data_uri.style():
        figure = Figure(figsize=(4.6, 0.55 + 0.3 * len(names)), layout="constrained")
        axes = figure.subplots()
        axes.axvline(0, color=data_uri.LIMIT, linewidth=1.4)
        for row, one in enumerate(found):
            axes.plot([one.low, one.high], [-row, -row], color=data_uri.FILL, linewidth=4, solid_capstyle="butt")
            axes.plot([one.mean], [-row], "o", color=data_uri.FILL, markersize=6)
        axes.set(xlim=(-1.05, 1.05), ylim=(0.6 - len(names), 0.6))
        axes.set_yticks([-row for row in range(len(names))], names)
        data_uri.plain_axes(axes)
        return data_uri.svg(figure)


def _axes(size: tuple[float, float]) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    with data_uri.style():
        figure = Figure(figsize=size, layout="constrained")
        return figure, figure.subplots()


def _drawn(figure: Any, axes: Any) -> str:
    with data_uri.style():
        axes.set_ylim(bottom=0)
        data_uri.plain_axes(axes)
        return data_uri.svg(figure)
