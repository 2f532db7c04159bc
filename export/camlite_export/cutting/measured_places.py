"""Where the cells of a feature map lie in the image, measured by changing bands of the image.

A classifier may crop, pad, resize or shift on the image's way to the features; what a layer is called does not say
so. Bands of random images are changed one after another, and the cells that change say where they look: most at
their own place, less around it, and not at all where the image was cropped away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from camlite.artifact.card import WHOLE, Preprocessing, Window
from camlite.errors import ClassifierError
from camlite.maps import resize

Floats = NDArray[np.float32]
Features = Callable[[Floats], Floats]
"""Inputs (N, H, W, channels) -> features (N, h, w, C)."""

# An edge this near to that of what the classifier sees, in cells, is taken for it. Strides with padding shift cells by
# up to half a cell without a purpose (ResNet50 by 0.48), which nobody means by the place of a cell.
_SAME = 0.75
# An edge is a whole pixel where it is nearer to one than this, in cells.
_ROUNDED = 0.1

_MOST_BANDS, _LEAST_BANDS = 32, 12
_PROBES = 2
_BATCH = 16
_DETAIL = 6  # cells of the coarse half of a random image, a side
_NOISE = 4.0  # a change this many times as large as that of the same image twice is one
# Edges are looked for within so many times the extent of what is seen, and again around the best, ever nearer.
_REACHES = tuple(0.6**i for i in range(13))
_STEPS = np.array([-1.0, -2 / 3, -1 / 3, 0.0, 1 / 3, 2 / 3, 1.0])
_FIRST_STEPS = np.linspace(-1, 1, 17)
_SMALLEST = 0.2  # of the extent
_WIDTHS = np.array([0.35, 0.5, 0.7, 1.0, 1.5, 2.2, 3.3, 5.0])  # of a cell's view, in cells
_FOLLOWS = 0.5  # of the responses' variance: a fit that explains less has found no places


class Places(NamedTuple):
    """What was measured.

    Attributes:
        window: of the whole grid, see `camlite.artifact.card.Window`.
        tolerance: how far its edges may be off, in cells: (from top to bottom, from left to right).
    """

    window: Window
    tolerance: tuple[float, float]


class _Span(NamedTuple):
    """Edges of a grid along one axis, in pixels; `spread`: how far two measurements are from one another, in cells."""

    start: float
    stop: float
    spread: float


def measure(features: Features, shape: tuple[int, int, int], target: Preprocessing, name: str) -> Places:
    """Measure where the grid of features lies over the image.

    Args:
        features: of the classifier, in floating point.
        shape: height, width and channels of its input.
        target: how pixels become its input: probes cover all that pixels can be.
        name: of the classifier, for errors.

    Raises:
        ClassifierError: from one end of the image to the other, cells run backwards.
    """
    spans = [_span(features, shape, target, axis, name) for axis in (0, 1)]
    (top, bottom), (left, right) = (
        (span.start / side, span.stop / side) for span, side in zip(spans, shape, strict=False)
    )
    return Places(Window(top, left, bottom, right), (spans[0].spread, spans[1].spread))


def _span(
    features: Features, shape: tuple[int, int, int], target: Preprocessing, axis: int, name: str
) -> _Span:
    """Where the grid lies along an axis of the image."""
    side = shape[axis]
    whole = _Span(0.0, float(side), 0.0)
    if side == 1:
        return whole
    probes = [_Probe(features, _random_images(shape, target, seed), axis) for seed in range(_PROBES)]
    cells = probes[0].cells
    edges = _band_edges(side, cells)
    responses = [probe.responses(edges) for probe in probes]
    seen = _seen(probes, responses, edges)
    if seen is None:
        return whole  # nothing arrives, which says nothing
    if cells == 1:
        return _Span(*seen, 0.0)
    fits = [_fit(response, edges, seen) for response in responses]
    if all(fit.explained >= _FOLLOWS for fit in fits):
        return _settled(fits, seen, cells)
    if all(_fit(response[:, ::-1], edges, seen).explained >= _FOLLOWS for response in responses):
        raise ClassifierError(
            f"{name}: its cells run from {'bottom to top' if axis == 0 else 'right to left'} of the image, "
            f"which is flipped inside; cut it at an earlier --layer, before the flip"
        )
    return _Span(*seen, 0.0)


def _settled(fits: list[_Fit], seen: tuple[float, float], cells: int) -> _Span:
    """The edges of what is seen where those of the fit are no others; else the fit's, as whole pixels if they may be."""
    start, stop = (float(np.mean([getattr(fit, end) for fit in fits])) for end in ("start", "stop"))
    pitch = (stop - start) / cells
    spread = max(np.ptp([getattr(fit, end) for fit in fits]) for end in ("start", "stop")) / pitch
    tolerance = max(float(spread), _ROUNDED) * pitch

    def settle(edge: float, limit: float) -> float:
        if abs(edge - limit) <= max(_SAME * pitch, tolerance):
            return limit
        return float(round(edge)) if abs(edge - round(edge)) <= tolerance else edge

    return _Span(settle(start, seen[0]), settle(stop, seen[1]), float(spread))


def _band_edges(side: int, cells: int) -> NDArray[np.intp]:
    """Edges of the bands that are changed, in pixels."""
    bands = min(side, max(_LEAST_BANDS, min(_MOST_BANDS, 2 * cells)))
    return np.linspace(0, side, bands + 1).round().astype(np.intp)


def _random_images(shape: tuple[int, int, int], target: Preprocessing, seed: int) -> Floats:
    """Two inputs (2, H, W, channels), coarse fields with noise on them, over all that pixels can be."""
    random = np.random.default_rng(seed)
    height, width, channels = shape
    rows, columns = resize.resize_matrix(_DETAIL, height), resize.resize_matrix(_DETAIL, width)
    coarse = rows @ random.uniform(0, 255, (2, channels, _DETAIL, _DETAIL)) @ columns.T
    pixels = (np.moveaxis(coarse, 1, -1) + random.uniform(0, 255, (2, *shape))) / 2
    return np.asarray(pixels * np.array(target.scale) + np.array(target.offset), np.float32)


class _Probe:
    """An image, bands of which are changed along an axis."""

    def __init__(self, features: Features, images: Floats, axis: int) -> None:
        self._features, self._axis = features, axis
        self._image, self._other = images
        twice = features(np.stack([self._image] * 2))
        self._before = twice[0]
        self.cells = int(self._before.shape[axis])
        rounding = np.abs(twice[1] - twice[0]).max() + np.finfo(np.float32).eps * np.abs(twice[0]).max()
        self._least = _NOISE * float(rounding)

    def responses(self, edges: NDArray[np.intp]) -> NDArray[np.float64]:
        """How much each cell changes with each band: (bands, cells)."""
        return self.changed(list(zip(edges[:-1], edges[1:], strict=True)))

    def changed(self, bands: list[tuple[int, int]]) -> NDArray[np.float64]:
        """How much each cell changes with each of some bands; 0 where it is no more than rounding."""
        return np.concatenate(list(self._answers(bands)))

    def _answers(self, bands: list[tuple[int, int]]) -> Iterator[NDArray[np.float64]]:
        for first in range(0, len(bands), _BATCH):
            some = bands[first : first + _BATCH]
            images = np.stack([self._image] * _BATCH)  # batches of one size: frameworks trace each size anew
            for image, (start, stop) in zip(images, some, strict=False):
                band = (slice(None),) * self._axis + (slice(start, stop),)
                image[band] = self._other[band]
            change = np.abs(self._features(images)[: len(some)] - self._before).astype(np.float64)
            change[change <= self._least] = 0
            yield change.sum(axis=(2 - self._axis, 3))


def _seen(
    probes: list[_Probe], responses: list[NDArray[np.float64]], edges: NDArray[np.intp]
) -> tuple[float, float] | None:
    """First pixel of an axis that changes anything, and the one after the last; None where none does.

    An outermost band that changes something counts as a whole. Of a band in front of which nothing is seen, each
    pixel is tried.
    """
    arrives = np.flatnonzero(sum(responses).sum(axis=1) > 0)
    if not len(arrives):
        return None
    first, last = int(arrives[0]), int(arrives[-1])
    start, stop = float(edges[first]), float(edges[last + 1])
    if first > 0:
        start += _pixels_that_arrive(probes, int(edges[first]), int(edges[first + 1]))[0]
    if last < len(edges) - 2:
        stop = edges[last] + _pixels_that_arrive(probes, int(edges[last]), int(edges[last + 1]))[-1] + 1.0
    return start, float(stop)


def _pixels_that_arrive(probes: list[_Probe], start: int, stop: int) -> NDArray[np.intp]:
    pixels = [(pixel, pixel + 1) for pixel in range(start, stop)]
    found = np.flatnonzero(sum(probe.changed(pixels).sum(axis=1) for probe in probes) > 0)
    return found if len(found) else np.arange(stop - start)


class _Fit(NamedTuple):
    """Edges of the grid in pixels, and the share of the responses' variance that is explained."""

    start: float
    stop: float
    explained: float


def _fit(responses: NDArray[np.float64], edges: NDArray[np.intp], seen: tuple[float, float]) -> _Fit:
    """Lay a grid of equal cells over the axis, so that each looks at its own place.

    The response of each cell is a bell around its place, of one width for all, times a gain of its own, plus what it
    has of everywhere. Where the image ends, or what is seen of it, the bell is cut off and not moved: so that cells
    near an edge, which see less on that side, do not seem to lie further inside, as their centres of mass do.
    """
    middles = (edges[:-1] + edges[1:]) / 2
    inside = (middles > seen[0]) & (middles < seen[1])
    widths = np.diff(edges)[inside, np.newaxis]
    received, middles = responses[inside] / widths, middles[inside]
    extent = seen[1] - seen[0]
    start, stop, best = seen[0], seen[1], (np.inf, seen[0], seen[1])
    for reach in _REACHES:
        steps = (_FIRST_STEPS if reach == 1 else _STEPS) * reach * extent
        pairs = np.stack(np.meshgrid(start + steps, stop + steps), axis=-1).reshape(-1, 2)
        pairs = pairs[pairs[:, 1] - pairs[:, 0] > extent * _SMALLEST]
        left = np.concatenate([_residuals(received, middles, some) for some in np.array_split(pairs, 1 + len(pairs) // 64)])
        best = min(best, (float(left.min()), *map(float, pairs[left.argmin()])))
        _, start, stop = best
    total = ((received - received.mean(axis=0)) ** 2).sum()
    return _Fit(start, stop, 1 - best[0] / total if total > 0 else 0.0)


def _residuals(
    received: NDArray[np.float64], middles: NDArray[np.float64], edges: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What bells between each pair of edges (n, 2) leave unexplained, of the width that leaves the least: (n,)."""
    cells = received.shape[1]
    pitch = (edges[:, 1:] - edges[:, :1]) / cells  # (n, 1)
    places = edges[:, :1] + pitch * (np.arange(cells) + 0.5)  # (n, cells)
    distance = (middles[:, np.newaxis, np.newaxis] - places) / pitch  # (bands, n, cells)
    bells = np.exp(-0.5 * (distance / _WIDTHS[:, np.newaxis, np.newaxis, np.newaxis]) ** 2)
    bells -= bells.mean(axis=1, keepdims=True)
    varied = received - received.mean(axis=0)
    along = np.maximum(np.einsum("wbnc,bc->wnc", bells, varied), 0)
    power = np.maximum(np.einsum("wbnc,wbnc->wnc", bells, bells), 1e-12)
    return np.asarray(((varied**2).sum() - (along**2 / power).sum(axis=2)).min(axis=0))
