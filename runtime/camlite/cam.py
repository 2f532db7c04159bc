"""Class Activation Mapping in numpy: evidence, completeness, resizing, heatmap.

Evidence keeps the scale of Class Activation Mapping (Zhou et al., 2016, "Learning Deep Features for
Discriminative Localization"), so that a map adds up to the score it explains:

    evidence[k, y, x] = sum over c of features[y, x, c] * weights[y, x, c, k]
    sum over y, x of evidence[k] + bias[k] == logit[k]

Class weights that are the same at every place are (C, K), with the pooling's 1 / (h * w) in them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from camlite.card import Activation

Floats = NDArray[np.float32]

# As arrays, because numpy turns a Python number into one at each call.
_ZERO, _ONE = np.zeros((), np.float32), np.ones((), np.float32)


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
        maps = weights.T[np.asarray(classes, np.intp)] @ places.T
        return np.ascontiguousarray(maps.reshape(len(classes), height, width))
    return np.ascontiguousarray(np.einsum("yxc,yxck->kyx", features, weights[..., np.asarray(classes, np.intp)]))


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


def completeness(features: Floats, weights: Floats, bias: Floats, scores: Floats, activation: Activation) -> float:
    """How far the evidence is from adding up to the scores: the largest difference over all classes, in scores."""
    expected = activate(logits(features, weights, bias), activation)
    return float(np.abs(expected - scores).max())


def resize_matrix(size: int, target: int) -> Floats:
    """Bilinear resizing of one axis as a matrix, float32 (target, size); its rows add up to 1.

    Pixel centres at half coordinates, edges held, no antialiasing: what ``tf.image.resize`` computes.
    """
    centres = (np.arange(target) + 0.5) * (size / target) - 0.5
    centres = centres.clip(0, size - 1)
    below = np.floor(centres).astype(np.intp)
    above = np.minimum(below + 1, size - 1)
    share = centres - below
    matrix = np.zeros((target, size), np.float32)
    rows = np.arange(target)
    np.add.at(matrix, (rows, below), 1 - share)
    np.add.at(matrix, (rows, above), share)
    return matrix


class Resizing:
    """Bilinear resizing of maps (h, w) to (H, W): two small matrices, made once and used often."""

    def __init__(self, size: tuple[int, int], target: tuple[int, int]) -> None:
        self._rows = resize_matrix(size[0], target[0])
        self._columns = np.ascontiguousarray(resize_matrix(size[1], target[1]).T)

    def __call__(self, maps: Floats) -> Floats:
        """Resize float32 (..., h, w) to (..., H, W)."""
        return np.asarray(self._rows @ maps @ self._columns)


def heatmap(maps: Floats, resizing: Resizing) -> Floats:
    """Evidence (..., h, w) to heatmaps (..., H, W): resized, clipped at 0, scaled to 0..1.

    A map without positive evidence gives a heatmap of zeros.
    """
    resized = resizing(maps)
    np.maximum(resized, _ZERO, out=resized)
    peak = resized.max() if maps.ndim == 2 else resized.max(axis=(-2, -1), keepdims=True)
    resized /= np.where(peak > 0, peak, _ONE)
    return resized
