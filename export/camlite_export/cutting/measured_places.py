"""Where the cells of a feature map lie in the image, measured by changing bands of the image.

A classifier may crop, pad, resize or shift on the image's way to the features; what a layer is called does not say
so. Bands of random images are changed one after another, and the cells that change say where they look: most at
their own place, less around it, and not at all where the image was cropped away.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from camlite.artifact.card import Preprocessing, Window
from camlite.errors import ClassifierError
from camlite.maps import resize
from camlite_export.cutting import one_grid
from camlite_export.cutting.cut import Cut
from camlite_export.sources.source import Source, Step

Floats = NDArray[np.float32]
Features = Callable[[Floats], Floats]
"""Inputs (N, H, W, channels) -> features (N, h, w, C)."""

# Edges of the grid this near to where they are expected are taken to be there, in cells. Strides with padding shift
# cells by up to half a cell without a purpose (ResNet50 by 0.48), which nobody means by the place of a cell.
_SAME = 0.75
# The wider a cell looks, the less exactly its place can be told: in widths of the fitted bell.
_SAME_WIDTHS = 0.8
# What is done in front of the first learned layer moves an edge if it does so by this, in cells.
_MOVED = 0.5
# An edge is a whole pixel where it is nearer to one than this, in cells.
_ROUNDED = 0.1

_MOST_BANDS, _LEAST_BANDS = 32, 12
_MOST_CELLS = 32  # that a fit looks at, of an axis
_PROBES, _SMALL_IMAGE = (
    2,
    128 * 128,
)  # one probe of images with more pixels: the larger the network, the longer it takes
_BATCH = 16
_DETAIL = 6  # cells of the coarse half of a random image, a side
_NOISE = 4.0  # a change this many times as large as that of the same image twice is one
# Edges are looked for within so many times the extent of what is seen, and again around the best, ever nearer.
_REACHES = tuple(0.6**i for i in range(13))
_STEPS = np.array([-1.0, -2 / 3, -1 / 3, 0.0, 1 / 3, 2 / 3, 1.0])
_FIRST_STEPS = np.linspace(-1, 1, 17)
_SMALLEST = 0.2  # of the extent
_WIDTHS = np.array(
    [0.35, 0.5, 0.7, 1.0, 1.5, 2.2, 3.3, 5.0]
)  # of a cell's view, in cells, or in bands if they are wider
_FEWEST_CELLS = 4  # that a fit needs to tell a place from the width of a view
_WEAK = 0.75  # of the responses' variance: what explains less is measured with a second probe
_AGREE = 2.0  # probes whose edges are further apart than this, in cells, have found no places; 1.3 was the most
_FOLLOWS = 0.5  # of the responses' variance: a fit that explains less has found no places


class UnknownPlacesWarning(UserWarning):
    """Where the cells of a classifier's map lie in the image could not be measured."""


class Places(NamedTuple):
    """What was measured.

    Attributes:
        window: of the whole grid, see `camlite.artifact.card.Window`.
        tolerance: how far its edges may be off, in cells: (from top to bottom, from left to right).
    """

    window: Window
    tolerance: tuple[float, float]


class _Fit(NamedTuple):
    """A grid along one axis.

    Attributes:
        start, stop: its edges, in pixels.
        explained: share of the responses' variance.
        width: of a cell's view, in cells.
    """

    start: float
    stop: float
    explained: float
    width: float


class _Axis(NamedTuple):
    """What was measured along one axis: the edges of what is seen, in pixels, and a fit for each probe."""

    seen: tuple[float, float]
    fits: list[_Fit]
    cells: int

    def edges(self) -> tuple[float, float] | None:
        """Edges of the grid, in pixels; None where it was not found."""
        if not self.fits or any(fit.explained < _FOLLOWS for fit in self.fits) or self.spread() > _AGREE:
            return None
        return float(np.mean([fit.start for fit in self.fits])), float(np.mean([fit.stop for fit in self.fits]))

    def spread(self) -> float:
        """How far the probes' edges are apart, in cells."""
        ends = np.array([(fit.start, fit.stop) for fit in self.fits])
        return float(np.ptp(ends, axis=0).max() / np.diff(ends).mean() * self.cells)


def of_cut(cut: Cut, target: Preprocessing) -> Places:
    """Measure where the cells of a cut classifier's features lie in its image.

    Args:
        cut: of the classifier; its original is asked.
        target: how pixels become its input.

    Raises:
        ClassifierError: see `measure`.
    """
    return of_step(cut.source, cut.step, target)


def of_step(source: Source, step: Step, target: Preprocessing) -> Places:
    """The same for the feature map that a step of the original gives.

    Raises:
        ClassifierError: see `measure`.
    """
    image, features = source.image_shape, cast(tuple[int, int, int], tuple(step.shape[1:]))
    front = _front(source.steps, step, image, features)

    def features_of(one: Step) -> Features:
        return lambda images: source.answer(images, one).features

    return measure(features_of(step), image, target, source.name, None if front is None else features_of(front))


def _front(
    steps: Sequence[Step], last: Step, image: tuple[int, int, int], features: tuple[int, int, int]
) -> Step | None:
    """The last step in front of the first learned layer; None where the image's size hardly changes up to there."""
    found, changes = None, False
    for step in steps:
        if step is last or (step.parameters > 0 and "Normalization" not in step.kind):
            break
        if len(step.shape) == 4 and None not in step.shape[1:] and step.shape[3] in (1, 3):
            found = step
            changes |= any(
                abs(int(step.shape[1 + axis] or 0) / image[axis] - 1) * features[axis] >= _MOVED for axis in (0, 1)
            )
    return found if changes else None


def measure(
    features: Features, shape: tuple[int, int, int], target: Preprocessing, name: str, front: Features | None = None
) -> Places:
    """Measure where the grid of features lies over the image.

    Args:
        features: of the classifier, in floating point.
        shape: height, width and channels of its input.
        target: how pixels become its input: probes cover all that pixels can be.
        name: of the classifier, for errors.
        front: the last of its tensors in front of the first learned layer, where that is cropped, padded or resized:
            where its cells look is known far more exactly.

    Raises:
        ClassifierError: cells run backwards over the image, look at its parts in another order, or at two at once.
    """
    images = [
        _random_images(shape, target, seed) for seed in range(_PROBES if shape[0] * shape[1] <= _SMALL_IMAGE else 1)
    ]
    spans = [_span(features, front, images, axis, name) for axis in (0, 1)]
    (top, bottom), (left, right) = (
        (start / side, stop / side) for (start, stop, _), side in zip(spans, shape, strict=False)
    )
    return Places(Window(top, left, bottom, right), (spans[0][2], spans[1][2]))


def _span(
    features: Features, front: Features | None, images: list[Floats], axis: int, name: str
) -> tuple[float, float, float]:
    """Edges of the grid along an axis, in pixels, and how far they may be off, in cells."""
    side = images[0].shape[1 + axis]
    found = _look(features, images, axis, name) if side > 1 else None
    if found is None:
        return 0.0, float(side), 0.0  # nothing arrives, which says nothing
    expected = _expected(found, None if front is None else _look(front, images, axis, name, of_cells=False), side)
    edges = found.edges()
    if edges is None and found.cells >= one_grid.FEWEST_CELLS:
        way = "from top to bottom" if axis == 0 else "from left to right"
        warnings.warn(
            f"{name}: camlite could not measure where the cells of its feature map lie {way}, because they hardly "
            f"respond to different places; it assumes that they cover what they see of the image evenly; check this on "
            f"heatmaps of images that you know, or choose an earlier --layer",
            UnknownPlacesWarning,
            stacklevel=5,
        )
    if edges is None or found.cells < _FEWEST_CELLS:
        return *expected, 0.0
    pitch = (edges[1] - edges[0]) / found.cells
    off = max(found.spread(), _ROUNDED)
    same = max(_SAME, 2 * found.spread(), _SAME_WIDTHS * max(fit.width for fit in found.fits)) * pitch
    start, stop = (
        limit if abs(edge - limit) <= same else _whole(edge, off * pitch)
        for edge, limit in zip(edges, expected, strict=True)
    )
    return start, stop, off


def _expected(found: _Axis, front: _Axis | None, side: int) -> tuple[float, float]:
    """The edges of the image, unless less is seen of it, or what stands in front puts those of the grid elsewhere."""
    moved = _MOVED * (found.seen[1] - found.seen[0]) / found.cells
    start, stop = found.seen
    seen = (0.0 if start < moved else start, float(side) if side - stop < moved else stop)
    edges = front and front.edges()
    if front is None or edges is None:
        return seen
    cell = (edges[1] - edges[0]) / found.cells
    pixel = (edges[1] - edges[0]) / front.cells
    start, stop = (
        limit if abs(edge - limit) < _MOVED * cell else _whole(edge, max(0.3, pixel / 2))
        for edge, limit in zip(edges, seen, strict=True)
    )
    return start, stop


def _whole(edge: float, tolerance: float) -> float:
    return float(round(edge)) if abs(edge - round(edge)) <= tolerance else edge


def _look(features: Features, images: list[Floats], axis: int, name: str, of_cells: bool = True) -> _Axis | None:
    """Measure along one axis; None where nothing of the image arrives.

    Args:
        of_cells: whether these are the features that are explained.

    Raises:
        ClassifierError: see `measure`.
    """
    probes = [_Probe(features, pair, axis) for pair in images]
    cells = probes[0].cells
    edges = _band_edges(images[0].shape[1 + axis], cells)
    responses = [probe.responses(edges) for probe in probes]
    seen = _seen(probes, responses, edges)
    if seen is None:
        return None
    if cells == 1:
        return _Axis(seen, [], cells)
    found = _Axis(seen, [_fit(response, edges, seen) for response in responses], cells)
    if len(probes) == 1 and found.fits[0].explained < _WEAK:
        responses.append(_Probe(features, images[0][::-1], axis).responses(edges))
        found = _Axis(seen, [*found.fits, _fit(responses[-1], edges, seen)], cells)
    follows = all(fit.explained >= _FOLLOWS for fit in found.fits)
    if not follows and all(_fit(one[:, ::-1], edges, seen).explained >= _FOLLOWS for one in responses):
        raise ClassifierError(
            f"{name}: its cells run from {'bottom to top' if axis == 0 else 'right to left'} of the image, "
            f"which is flipped inside; cut it at an earlier --layer, before the flip"
        )
    if of_cells and cells >= one_grid.FEWEST_CELLS:
        _refuse_no_grid(found, responses, edges, name, axis, lambda: _Probe(features, images[0][::-1], axis))
    return found


def _refuse_no_grid(
    found: _Axis,
    responses: list[NDArray[np.float64]],
    edges: NDArray[np.intp],
    name: str,
    axis: int,
    another: Callable[[], _Probe],
) -> None:
    """Raise `ClassifierError` where the cells do not look at the image as one grid.

    Args:
        another: makes one more probe, for what only one has found.
    """
    doubt = _doubt(found, responses, edges)
    if doubt and len(responses) == 1:
        more = another().responses(edges)
        both = _Axis(found.seen, [*found.fits, _fit(more, edges, found.seen)], found.cells)
        doubt = _doubt(both, [*responses, more], edges)
    way = "from top to bottom" if axis == 0 else "from left to right"
    remedy = "cut it at an earlier --layer, before that, or take that step out of the classifier and save it again"
    if doubt == "elsewhere":
        raise ClassifierError(
            f"{name}: {way}, its cells do not look at the image in the order of its parts, which change places "
            f"inside, so that heat would lie in the wrong place; {remedy}"
        )
    if doubt == "two views":
        raise ClassifierError(
            f"{name}: {way}, its cells look at two places of the image at once: two views of it, such as the whole "
            f"and its middle, lie on one another inside, so that heat would lie in the wrong place; {remedy}"
        )


def _doubt(found: _Axis, responses: list[NDArray[np.float64]], edges: NDArray[np.intp]) -> one_grid.Doubt | None:
    """Why the cells are no grid; None where they may be one."""
    cells, seen, bands = found.cells, found.seen, np.diff(edges)[:, np.newaxis]
    pitches = [(fit.stop - fit.start) / cells for fit in found.fits]
    grids = [
        one_grid.Grid(fit.start, fit.stop, fit.width * pitch) for fit, pitch in zip(found.fits, pitches, strict=True)
    ]
    some = _some(cells)
    places = (some + 0.5) / cells
    varied, middles = zip(*(_varied(one[:, some], edges, seen) for one in responses), strict=True)
    if not all(one.any() for one in varied):
        return None
    left = [one_grid.left_by(grid, one, middles[0], places, seen) for grid, one in zip(grids, varied, strict=True)]
    unit = max((seen[1] - seen[0]) / cells, float(bands.max()))
    if one_grid.lies_elsewhere(varied, left, middles[0], _WIDTHS * unit):
        return "elsewhere"
    inside = np.flatnonzero(_inside(edges, seen))
    seconds, shares = [], []
    for one, rest in zip(varied, left, strict=True):
        whole = np.zeros((len(bands), cells))
        whole[np.ix_(inside, some)] = rest
        fit = _fit(whole * bands, edges, seen)
        seconds.append(one_grid.Grid(fit.start, fit.stop, fit.width))
        shares.append(fit.explained * float((rest**2).sum() / (one**2).sum()))
    return "two views" if one_grid.is_second(grids[0], seconds, shares, cells) else None


def _some(cells: int) -> NDArray[np.intp]:
    """The cells along an axis that fits look at."""
    return np.unique(np.linspace(0, cells - 1, min(cells, _MOST_CELLS)).round().astype(np.intp))


def _inside(edges: NDArray[np.intp], seen: tuple[float, float]) -> NDArray[np.bool_]:
    """Which bands are seen."""
    middles = (edges[:-1] + edges[1:]) / 2
    return np.asarray((middles > seen[0]) & (middles < seen[1]))


def _varied(
    responses: NDArray[np.float64], edges: NDArray[np.intp], seen: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Responses per pixel of the bands that are seen, less each cell's mean, and the middles of these bands."""
    inside = _inside(edges, seen)
    received = (responses / np.diff(edges)[:, np.newaxis])[inside]
    return received - received.mean(axis=0), ((edges[:-1] + edges[1:]) / 2)[inside]


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
        return self.changed(list(itertools.pairwise(edges.tolist())))

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
    arrives = np.flatnonzero(np.sum(responses, axis=(0, 2)) > 0)
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
    found = np.flatnonzero(np.sum([probe.changed(pixels) for probe in probes], axis=(0, 2)) > 0)
    return found if len(found) else np.arange(stop - start)


def _fit(responses: NDArray[np.float64], edges: NDArray[np.intp], seen: tuple[float, float]) -> _Fit:
    """Lay a grid of equal cells over the axis, so that each looks at its own place.

    The response of each cell is a bell around its place, of one width for all, times a gain of its own, plus what it
    has of everywhere. Where the image ends, or what is seen of it, the bell is cut off and not moved: so that cells
    near an edge, which see less on that side, do not seem to lie further inside, as their centres of mass do.
    """
    cells, widths = responses.shape[1], np.diff(edges)
    some = _some(cells)
    varied, middles = _varied(responses[:, some], edges, seen)
    total = float((varied**2).sum())
    if not total > 0:
        return _Fit(*seen, 0.0, 0.0)
    places, band, extent = (some + 0.5) / cells, float(widths.max()), seen[1] - seen[0]
    best: tuple[float, float, float, float] = (np.inf, *seen, 0.0)
    for reach in _REACHES:
        steps = (_FIRST_STEPS if reach == 1 else _STEPS) * reach * extent
        pairs = np.stack(np.meshgrid(best[1] + steps, best[2] + steps), axis=-1).reshape(-1, 2)
        pairs = pairs[pairs[:, 1] - pairs[:, 0] > extent * _SMALLEST]
        for few in np.array_split(pairs, 1 + len(pairs) // 64):
            unit = np.maximum((few[:, 1] - few[:, 0]) / cells, band)
            left = total - _explained(varied, middles, few, places, unit)  # (widths, pairs)
            width, pair = np.unravel_index(left.argmin(), left.shape)
            start, stop = map(float, few[pair])
            best = min(best, (float(left[width, pair]), start, stop, float(_WIDTHS[width] * unit[pair])))
    pitch = (best[2] - best[1]) / cells
    return _Fit(best[1], best[2], 1 - best[0] / total, best[3] / pitch)


def _explained(
    varied: NDArray[np.float64],
    middles: NDArray[np.float64],
    edges: NDArray[np.float64],
    places: NDArray[np.float64],
    unit: NDArray[np.float64],
) -> NDArray[np.float64]:
    """How much of the responses' squares bells between each of some pairs of edges explain: (widths, n).

    Args:
        varied: responses (bands, cells), less each cell's mean.
        middles: of the bands, in pixels.
        edges: (n, 2), in pixels.
        places: of the cells, in shares of what lies between the edges.
        unit: of the widths, in pixels (n,).
    """
    centres = edges[:, :1] + (edges[:, 1:] - edges[:, :1]) * places  # (n, cells)
    distance = (middles[:, np.newaxis, np.newaxis] - centres) / unit[:, np.newaxis]  # (bands, n, cells)
    bells = np.exp(-0.5 * (distance / _WIDTHS[:, np.newaxis, np.newaxis, np.newaxis]) ** 2)
    bells -= bells.mean(axis=1, keepdims=True)
    along = np.maximum(np.einsum("wbnc,bc->wnc", bells, varied), 0)
    power = np.maximum(np.einsum("wbnc,wbnc->wnc", bells, bells), 1e-12)
    return np.asarray((along**2 / power).sum(axis=2))
