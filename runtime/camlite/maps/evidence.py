"""Evidence out of an interpreter's results, for one class at the least cost, or for many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from camlite.backends.interpreter import Tensor
from camlite.maps import cam
from camlite.maps.cam import Floats


class Evidence(Protocol):
    """Reads what the last run left in the interpreter's memory."""

    def one(self, k: int) -> Floats:
        """Evidence of class k: float32 (h, w), in logits."""
        ...

    def many(self, classes: Sequence[int]) -> Floats:
        """Evidence of n classes: float32 (n, h, w), in logits."""
        ...


def reading(
    weights: Floats | None, top_only: bool, outputs: Mapping[str, Tensor], results: Mapping[str, NDArray[Any]]
) -> Evidence:
    """Evidence from class weights, (C, K) or (h, w, C, K), or from the graph where there are none.

    Args:
        top_only: whether the graph gives that of its top class only.
    """
    if weights is None:
        return FromGraph(outputs["evidence"], results["evidence"], top_only)
    return _FromWeights(weights, outputs["features"], results["features"])


class FromGraph:
    """The model computes maps of every class, (h, w, K), or of its top class only, (h, w, 1).

    Of one class, stored numbers of 8 bits are looked up, which is one call of numpy instead of three.
    """

    def __init__(self, tensor: Tensor, memory: NDArray[Any], top_only: bool) -> None:
        self._tensor, self._memory = tensor, memory
        self._top_only = top_only
        self._reals = None
        if tensor.dtype.itemsize == 1:
            self._numbers = memory.view(np.uint8)
            self._reals = tensor.dequantize(np.arange(256, dtype=np.uint8).view(tensor.dtype))

    def one(self, k: int) -> Floats:
        """See `Evidence`."""
        place = 0 if self._top_only else k
        if self._reals is not None:
            return self._reals.take(self._numbers[..., place])
        return self._tensor.dequantize(self._memory[..., place])

    def many(self, classes: Sequence[int]) -> Floats:
        """See `Evidence`."""
        every = np.moveaxis(self._memory, -1, 0)
        whole = isinstance(classes, range) and classes == range(len(every)) and not self._top_only
        stored = every if whole else every[[0] * len(classes) if self._top_only else list(classes)]
        return self._tensor.dequantize(np.ascontiguousarray(stored))


class _FromWeights:
    """Features times class weights.

    For one class, integer features are multiplied as they are stored: `cam.evidence` is linear, so that scale and
    zero point go into the weights, the zero point as one more weight behind the others, for a feature that is 1.
    """

    def __init__(self, weights: Floats, tensor: Tensor, memory: NDArray[Any]) -> None:
        self._weights, self._tensor, self._memory = weights, tensor, memory
        height, width, channels = tensor.shape
        self._shape = (height, width)
        self._copies = tensor.dtype != np.float32
        self._features = np.ones((height, width, channels + 1), np.float32) if self._copies else memory
        self._stored = self._features[..., :channels]
        self._places = self._features.reshape(height * width, -1)
        self._of_class: dict[int, Floats] = {}

    def one(self, k: int) -> Floats:
        weights = self._of_class.get(k)
        if weights is None:
            weights = self._of_class[k] = self._weights_of(k)
        if self._copies:
            self._stored[...] = self._memory
        if weights.ndim == 1:
            found: Floats = self._places.dot(weights).reshape(self._shape)
            return found
        return np.asarray(np.einsum("yxc,yxc->yx", self._features, weights))

    def many(self, classes: Sequence[int]) -> Floats:
        if len(classes) == 1:
            return self.one(classes[0])[np.newaxis]
        return cam.evidence(self._tensor.dequantize(self._memory), self._weights, classes)

    def _weights_of(self, k: int) -> Floats:
        weights = np.ascontiguousarray(self._weights[..., k])
        if not self._copies:
            return weights
        scale = np.float32(self._tensor.scale or 1)
        behind = -self._tensor.zero_point * weights.sum(axis=-1, keepdims=True)
        return np.asarray(np.concatenate([weights, behind], axis=-1) * scale)
