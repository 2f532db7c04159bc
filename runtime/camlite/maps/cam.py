"""Class Activation Mapping in numpy: evidence, completeness, resizing, heatmap.

Evidence keeps the scale of Class Activation Mapping (Zhou et al., 2016, "Learning Deep Features for
Discriminative Localization"), so that a map adds up to the score it explains:

    evidence[k, y, x] = sum over c of features[y, x, c] * weights[y, x, c, k]
    sum over y, x of evidence[k] + bias[k] == logit[k]

Class weights that are the same at every place are (C, K), with the pooling's 1 / (h * w) in them.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from camlite.artifact.card import Activation

Floats = NDArray[np.float32]


def evidence(features: Floats, weights: Floats, classes: Sequence[int] | NDArray[np.intp]) -> Floats:
    """Evidence of some classes: float32 (len(classes), h, w), in logits.

    Args:
        features: float32 (h, w, C).
        weights: float32 (C, K), or (h, w, C, K).
        classes: indices into K.
    """
    if weights.ndim == 2:
        height, width, channels = features.shape
        places = features.reshape(-1, channels)
        if len(classes) == 1:  # a product with a vector: the usual case, and twice as fast
            return np.asarray(places @ weights[:, classes[0]]).reshape(1, height, width)
        maps = _of(classes, weights).T @ places.T
        return np.ascontiguousarray(maps.reshape(len(classes), height, width))
    return np.ascontiguousarray(np.einsum("yxc,yxck->kyx", features, _of(classes, weights)))


def _of(classes: Sequence[int] | NDArray[np.intp], weights: Floats) -> Floats:
    """Class weights of some classes, the last axis; those of all are not copied, which takes as long as their sum."""
    every = isinstance(classes, range) and classes == range(weights.shape[-1])
    return weights if every else weights[..., np.asarray(classes, np.intp)]


def logits(features: Floats, weights: Floats, bias: Floats) -> Floats:
    """All K logits, float32 (K,): what the evidence of each class, summed over all places, and its bias make."""
    if weights.ndim == 2:
        return np.asarray(features.sum(axis=(0, 1)) @ weights + bias)
    return np.asarray(np.tensordot(features, weights, axes=3) + bias)


def activate(logits: Floats, activation: Activation) -> NDArray[np.float64]:
    """Logits (..., K) to scores, in float64."""
    values = logits.astype(np.float64)
    if activation == "softmax":
        exponentials = np.exp(values - values.max(axis=-1, keepdims=True))
        scores: NDArray[np.float64] = exponentials / exponentials.sum(axis=-1, keepdims=True)
        return scores
    if activation == "sigmoid":
        return np.asarray(np.exp(-np.logaddexp(0, -values)))
    return values


def completeness(logits: Floats, scores: Floats, activation: Activation) -> float:
    """How far the evidence is from adding up to the scores: the largest difference over all classes, in scores.

    Args:
        logits: what evidence and bias add up to, float32 (K,).
        scores: float32 (K,).
    """
    return float(np.abs(activate(logits, activation) - scores).max())


@functools.lru_cache(maxsize=64)
def taps(size: int, target: int) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    """Bilinear resizing of one axis: each of `target` numbers lies between two of `size`.

    Pixel centres at half coordinates, edges held, no antialiasing: what ``tf.image.resize`` computes.

    Returns:
        Index of the number before, index of the one behind, and the share of the one behind, float32; (target,) each.
    """
    centres = ((np.arange(target) + 0.5) * (size / target) - 0.5).clip(0, size - 1)
    before = np.floor(centres).astype(np.intp)
    found = before, np.minimum(before + 1, size - 1), (centres - before).astype(np.float32)
    for array in found:
        array.flags.writeable = False
    return found


def resize_matrix(size: int, target: int) -> Floats:
    """`taps` as a matrix, float32 (target, size); its rows add up to 1."""
    before, behind, share = taps(size, target)
    matrix = np.zeros((target, size), np.float32)
    rows = np.arange(target)
    np.add.at(matrix, (rows, before), 1 - share)
    np.add.at(matrix, (rows, behind), share)
    return matrix


class Resizing:
    """Bilinear resizing of maps (h, w) to (H, W): two small matrices, made once and used often.

    Attributes:
        floor: zeros (H, W) that heatmaps are clipped at; numpy compares with an array ten times as fast as with a
            number.
    """

    def __init__(self, size: tuple[int, int], target: tuple[int, int]) -> None:
        self._rows = np.asfortranarray(resize_matrix(size[0], target[0]))
        self._columns = np.ascontiguousarray(resize_matrix(size[1], target[1]).T)
        self.floor = np.zeros(target, np.float32)

    def __call__(self, maps: Floats) -> Floats:
        """Resize float32 (..., h, w) to (..., H, W)."""
        if maps.ndim == 2:  # `dot` starts a microsecond earlier than `@`
            resized: Floats = self._rows.dot(maps).dot(self._columns)
            return resized
        return np.asarray(self._rows @ maps @ self._columns)


def heatmap(maps: Floats, resizing: Resizing) -> Floats:
    """Evidence (..., h, w) to heatmaps (..., H, W): resized, clipped at 0, scaled to 0..1.

    A map without positive evidence gives a heatmap of zeros.
    """
    resized = resizing(maps)
    np.maximum(resized, resizing.floor, resized)
    if maps.ndim == 2:
        peak = resized.item(resized.argmax())  # `max` takes ten times as long
        return np.divide(resized, np.float32(peak), resized) if peak > 0 else resized
    peaks = resized.max(axis=(-2, -1), keepdims=True)
    return np.divide(resized, np.where(peaks > 0, peaks, np.float32(1)), resized)
