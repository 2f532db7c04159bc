"""Whether the cells of a feature map look at the image as one grid: in order, each at one place.

A classifier may put parts of the image elsewhere (halves that change places), or lay two views of it on one another
(the whole image beside its middle, enlarged). No window says where such cells look.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Doubt = Literal["elsewhere", "two views"]

# Bells of each cell's own explain this much more of the responses than those of a grid where parts of the image lie
# elsewhere: 0.30 and more. In classifiers of 100 kinds it was 0.04 at most.
_ELSEWHERE = 0.17
# What a second grid explains of the responses: 0.20 and more where there is one. Elsewhere 0.06 at most, and 0.19 where
# it lies on the first one, whose bells are not quite those of the cells.
_SECOND = 0.13
_ANOTHER = 2.0  # a grid is another one where an edge lies so many cells from that of the first
_SAME = 1.0  # what two probes find is the same where it is no further apart than this, in cells

FEWEST_CELLS = 6
"""With fewer along an axis, whatever is left of any classifier's responses looks like a grid."""


class Grid(NamedTuple):
    """Equal cells between two edges, and the width of their view, all in pixels."""

    start: float
    stop: float
    width: float


def bells(middles: Array, centres: Array, width: float) -> Array:
    """Bells (bands, n), less their means.

    Args:
        middles: of the bands, in pixels.
        centres: of the bells (n,), in pixels.
        width: of them all, in pixels.
    """
    found = np.exp(-0.5 * ((middles[:, np.newaxis] - centres) / width) ** 2)
    return np.asarray(found - found.mean(axis=0))


def left_by(grid: Grid, varied: Array, middles: Array, places: Array, seen: tuple[float, float]) -> Array:
    """What a grid leaves of responses (bands, cells), which are less each cell's mean.

    Cells that lie outside of the image may see it mirrored there, where it was padded so.

    Args:
        grid: of all cells.
        varied, middles: the responses of some, and the bands' middles in pixels.
        places: of these cells, in shares of the grid.
        seen: the edges of what is seen of the image, in pixels.
    """
    centres = grid.start + (grid.stop - grid.start) * places
    mirrored = np.where(centres < seen[0], 2 * seen[0] - centres, centres)
    mirrored = np.where(mirrored > seen[1], 2 * seen[1] - mirrored, mirrored)
    found = [varied - _taken(varied, bells(middles, one, grid.width)) for one in (centres, mirrored)]
    return min(found, key=_power)


def _taken(varied: Array, shapes: Array) -> Array:
    """What shapes (bands, cells), each times a gain of its own that is not negative, take from responses."""
    along = np.maximum((varied * shapes).sum(axis=0), 0)
    return np.asarray(shapes * along / np.maximum((shapes**2).sum(axis=0), 1e-12))


def lies_elsewhere(probes: Sequence[Array], left: Sequence[Array], middles: Array, widths: Array) -> bool:
    """Whether cells look at places of their own, which are not those of a grid.

    Each cell's place is taken from one probe and tried on the next: what both have in common is no accident.

    Args:
        probes: responses (bands, cells) of each, less each cell's mean.
        left: what the grid leaves of each.
        middles: of the bands, in pixels.
        widths: of bells to try, in pixels.
    """
    gained = []
    for index, (other, rest) in enumerate(zip(probes, left, strict=True)):
        shapes = _own_bells(probes[index - 1], middles, widths)
        gained.append((_power(rest) - _power(other - _taken(other, shapes))) / _power(other))
    return min(gained) >= _ELSEWHERE


def _own_bells(varied: Array, middles: Array, widths: Array) -> Array:
    """The bell of each cell that explains the most of its responses, wherever it stands: (bands, cells)."""
    most, shapes = np.full(varied.shape[1], -np.inf), np.zeros_like(varied)
    for width in widths:
        tried = bells(middles, middles, width)  # (bands, places)
        explained = np.maximum(tried.T @ varied, 0) ** 2 / np.maximum((tried**2).sum(axis=0), 1e-12)[:, np.newaxis]
        better = explained.max(axis=0) > most
        shapes[:, better] = tried[:, explained.argmax(axis=0)[better]]
        most = np.maximum(most, explained.max(axis=0))
    return shapes


def is_second(first: Grid, seconds: Sequence[Grid], shares: Sequence[float], cells: int) -> bool:
    """Whether what is left of the probes' responses is another grid.

    Args:
        first: the grid.
        seconds: the grid that explains the most of what it leaves, of each probe.
        shares: of the responses' variance, that these explain.
        cells: along the axis.
    """
    pitch = (first.stop - first.start) / cells
    apart = [_apart(seconds[0], one) for one in seconds[1:]]
    away = min(_apart(first, one) for one in seconds)
    return min(shares) >= _SECOND and away > _ANOTHER * pitch and max(apart, default=0.0) <= _SAME * pitch


def _apart(one: Grid, other: Grid) -> float:
    return max(abs(one.start - other.start), abs(one.stop - other.stop))


def _power(values: Array) -> float:
    return max(float((values**2).sum()), 1e-12)
