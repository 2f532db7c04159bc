"""Pictures that are not: the object in other surroundings, the surroundings without the object.

All pictures are of the classifier's input size, uint8 (H, W, channels), their masks bool (H, W).
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from camlite.images.preprocessing import Pixels
from camlite.maps.resize import resize_matrix

Mask = NDArray[np.bool_]

# What takes the place of the surroundings, or of the object.
KINDS = ("blur", "mean", "other")

# Around an object so much of the side is painted over with it: its edge would give it away.
_RIM = 1 / 32
# A blurred picture keeps so many colours along each side.
_BLURRED = 4


class Pair(NamedTuple):
    """Two pictures that a classifier's score is torn between.

    Attributes:
        kept: the object as it is, its surroundings replaced.
        removed: the surroundings as they are, the object replaced.
    """

    kept: Pixels
    removed: Pixels


def pairs(picture: Pixels, mask: Mask, surroundings: Pixels) -> dict[str, Pair]:
    """Counterfactuals of a picture with an object, by `KINDS`.

    ``blur`` and ``mean`` put a blurred copy, or the surroundings' mean colour, in the place of either. ``other`` puts
    the object into other surroundings, and lets its own go on where it was.
    """
    hole = grown(mask)
    soft = blurred(picture)
    plain = np.broadcast_to(_mean(picture, ~hole), picture.shape)
    return {
        "blur": Pair(_compose(picture, soft, mask), _compose(soft, picture, hole)),
        "mean": Pair(_compose(picture, plain, mask), _compose(plain, picture, hole)),
        "other": Pair(_compose(picture, surroundings, mask), painted_over(picture, mask)),
    }


def swap(picture: Pixels, place: Mask, other: Pixels) -> Pair:
    """Two pictures that have exchanged a place: kept is the place in the other picture, removed the rest of its own."""
    return Pair(_compose(picture, other, place), _compose(other, picture, place))


def pair_without(picture: Pixels, other: Pixels, other_mask: Mask, surroundings: Pixels) -> Pair:
    """Counterfactuals of a picture that shows no object.

    Args:
        picture: without an object.
        other: a picture of another class, with an object at `other_mask`.
        surroundings: those of the other picture, without its object.

    Returns:
        kept: still no object, in the other's surroundings; removed: the other's object in this picture.
    """
    return Pair(surroundings, _compose(other, picture, other_mask))


def painted_over(picture: Pixels, mask: Mask) -> Pixels:
    """The picture without its object: the surroundings grow into its place."""
    hole = grown(mask)
    if not hole.any():
        return picture
    return _compose(_grow_in(picture, ~hole), picture, hole)


def grown(mask: Mask) -> Mask:
    """A mask with a rim around it."""
    rim = max(1, round(max(mask.shape) * _RIM))
    for axis in (0, 1):
        wide = mask.copy()
        for step in range(1, rim + 1):
            before, behind = (
                (slice(None, -step), slice(step, None)) if axis == 0 else (np.s_[:, :-step], np.s_[:, step:])
            )
            wide[behind] |= mask[before]
            wide[before] |= mask[behind]
        mask = wide
    return mask


def blurred(picture: Pixels) -> Pixels:
    """What is left of a picture in a few colours a side, smoothly."""
    height, width = picture.shape[:2]
    rows, columns = (_smoothing(side) for side in (height, width))
    soft = np.tensordot(rows, picture.astype(np.float32), axes=1)
    return _pixels(columns @ soft)


@functools.lru_cache(maxsize=8)
def _smoothing(side: int) -> NDArray[np.float32]:
    """Means of `_BLURRED` blocks of an axis, resized back: a matrix (side, side)."""
    blocks = min(_BLURRED, side)
    block = np.arange(side) * blocks // side
    means = (block == np.arange(blocks)[:, np.newaxis]).astype(np.float32)
    means /= means.sum(axis=1, keepdims=True)
    return np.asarray(_matrix(blocks, side) @ means)


def _compose(inside: Pixels, outside: Pixels, mask: Mask) -> Pixels:
    return np.where(mask[..., np.newaxis], inside, outside)


def _mean(picture: Pixels, where: Mask) -> Pixels:
    chosen = picture[where] if where.any() else picture.reshape(-1, picture.shape[2])
    return _pixels(chosen.mean(axis=0))


def _grow_in(picture: Pixels, known: Mask) -> Pixels:
    """Fill what is not known from its surroundings, coarse to fine: the pull-push of Gortler et al. (1996)."""
    colours = np.where(known[..., np.newaxis], picture, 0).astype(np.float32)
    return _pixels(_pull_push(colours, known.astype(np.float32)[..., np.newaxis]))


def _pull_push(colours: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Colours (H, W, C), times weights (H, W, 1) in 0..1; where weight is missing, the halved picture fills in."""
    height, width = weights.shape[:2]
    if weights.min() >= 1 or height * width == 1:
        return np.asarray(colours / np.maximum(weights, 1e-6))
    sums, counts = _halved(colours), _halved(weights)
    most = np.minimum(counts, 1) / np.maximum(counts, 1e-6)
    coarse = _pull_push(sums * most, counts * most)
    rows, columns = (_matrix(side, 2 * side) for side in coarse.shape[:2])
    fine = columns @ np.tensordot(rows, coarse, axes=1)
    return np.asarray(colours + (1 - weights) * fine[:height, :width])


def _halved(array: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sums of 2 x 2 blocks; beyond an odd edge there is nothing."""
    height, width = array.shape[:2]
    if height % 2 or width % 2:
        array = np.pad(array, ((0, height % 2), (0, width % 2), (0, 0)))
    return np.asarray(array[::2, ::2] + array[1::2, ::2] + array[::2, 1::2] + array[1::2, 1::2])


# Pictures of one size need the same few matrices.
_matrix = functools.lru_cache(maxsize=64)(resize_matrix)


def _pixels(colours: NDArray[Any]) -> Pixels:
    pixels: Pixels = np.rint(colours).clip(0, 255).astype(np.uint8)
    return pixels
