"""Class Activation Mapping in numpy: evidence and completeness.

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
