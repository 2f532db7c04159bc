"""The pictures of the parity report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlite.artifact.card import Preprocessing, Window
from camlite.images import preprocessing
from camlite.maps import resize
from camlite.show import colours
from camlite_export.agreement.judging import Case
from camlite_export.agreement.measurement import Floats
from camlite_export.reports import data_uri

# A panel has at most so many pixels a side: a page of many stays small.
_LARGEST_SIDE = 128


def panels(case: Case, target: Preprocessing, window: Window) -> dict[str, str]:
    """Four data URIs: the image, the heatmap of Keras, that of the artifact, and the difference of their evidence.

    The difference is scaled to its own largest: blue where the artifact sees less evidence, red where more.
    """
    shrink = min(1.0, _LARGEST_SIDE / max(target.height, target.width))
    height, width = max(1, round(target.height * shrink)), max(1, round(target.width * shrink))
    channels = target.channels
    small = target._replace(height=height, width=width, scale=(1.0,) * channels, offset=(0.0,) * channels, order="rgb")
    pixels = np.rint(preprocessing.prepare(case.image, small)).clip(0, 255).astype(np.uint8)
    received = np.nan_to_num(case.received_evidence, nan=0.0, posinf=0.0, neginf=0.0)
    resizing = resize.Resizing((received.shape[0], received.shape[1]), (height, width), window, smooth=True)
    return {
        "image": data_uri.png(pixels if channels == 3 else pixels.repeat(3, axis=2)),
        "Keras": data_uri.png(colours.colourize(resize.heatmap(case.expected_evidence, resizing))),
        "artifact": data_uri.png(colours.colourize(resize.heatmap(received, resizing))),
        "difference": data_uri.png(_diverging(resizing(received - case.expected_evidence))),
    }


def distribution(names: Sequence[str], series: Sequence[Floats], limits: Sequence[float | None], floor: float) -> str:
    """Histograms of one figure on a logarithmic axis, one row an artifact, as SVG in a data URI.

    Args:
        names: of the artifacts.
        series: per-image figures, 0 or more; NaN is left out, and what is below the floor is drawn at it.
        limits: of the artifacts' gates, drawn as a line.
        floor: the least that is drawn.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    known = [np.maximum(one[np.isfinite(one)], floor) for one in series]
    largest = max([floor * 10, *(one.max() for one in known if len(one)), *(limit for limit in limits if limit)])
    edges = np.logspace(np.log10(floor), np.log10(largest * 1.5), 90)
    with data_uri.style("".join(names)):
        figure = Figure(figsize=(4.1, 0.6 + 0.42 * len(names)), layout="constrained")
        axes = figure.subplots()
        for row, (one, limit) in enumerate(zip(known, limits, strict=True)):
            _ridge(axes, -row, one, edges, limit)
        axes.set(xscale="log", xlim=(floor, edges[-1]), ylim=(0.95 - len(names), 1.0))
        axes.set_yticks([0.3 - row for row in range(len(names))], names)
        axes.xaxis.set_major_locator(LogLocator(numticks=6))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0e}"))  # the usual one is a formula
        axes.xaxis.set_minor_formatter(NullFormatter())
        data_uri.plain_axes(axes)
        return data_uri.svg(figure)


def _ridge(axes: Any, base: float, values: Floats, edges: Floats, limit: float | None) -> None:
    counts, _ = np.histogram(values, edges)
    # The square root: beside equal scores, which fall into one bin, all else would be too flat to be seen.
    heights = 0.85 * np.sqrt(counts / max(1, counts.max()))
    axes.stairs(base + heights, edges, baseline=base, fill=True, color=data_uri.FILL, alpha=0.85)
    axes.axhline(base, color=data_uri.GREY, linewidth=0.4)
    if limit:
        axes.plot([limit, limit], [base, base + 0.85], color=data_uri.LIMIT, linewidth=1.6)


def _diverging(difference: NDArray[np.float32]) -> NDArray[Any]:
    import matplotlib

    largest = float(np.abs(difference).max())
    shares = 0.5 + 0.5 * difference / largest if largest else np.full_like(difference, 0.5)
    colours: NDArray[Any] = matplotlib.colormaps["RdBu_r"](shares)[..., :3] * 255
    return colours
