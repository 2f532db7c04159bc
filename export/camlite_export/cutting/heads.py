"""The head behind the cut: its class weights and bias where it is affine, else evidence by its gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from camlite.artifact.evidence_methods import EVIDENCE_METHODS, EvidenceMethod
from camlite.maps import cam
from camlite_export.cutting import active_bias

if TYPE_CHECKING:
    import keras

BlackBox = Callable[..., Any]

# What is known of a head decides how its evidence can be made; the first is the default.
OF_AFFINE_HEADS: tuple[EvidenceMethod, ...] = tuple(word for word, one in EVIDENCE_METHODS.items() if one.affine)
_OF_OTHER_HEADS: tuple[EvidenceMethod, ...] = tuple(word for word, one in EVIDENCE_METHODS.items() if not one.affine)

# Evidence of every class costs one backward pass of the head per class; above this many, only the top class.
_MOST_CLASSES = 64

# A head is affine if it differs from its class weights by rounding alone. Rounding of a float32 sum of n terms
# is at most n * 6e-8 of the sum of their magnitudes, and grows like the root of n: 3e-5 for n = 250,000.
_ROUNDING = 3e-5

# Numbers of the gradients that are computed at once: 16 MB.
_MOST_NUMBERS = 1 << 22

# Magnitudes of the random features it is tried on: what bends at a threshold bends within these.
_MAGNITUDES = np.logspace(-2, 4, 8, dtype=np.float32)


@dataclass(frozen=True)
class AffineHead:
    """Class weights float32 (C, K), or (h, w, C, K) where they differ by place, and bias float32 (K,)."""

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]


def evidence_methods(affine: AffineHead | None, classes: int) -> tuple[EvidenceMethod, ...]:
    """How the evidence of a head can be made, the default first."""
    if affine:
        return OF_AFFINE_HEADS
    top_only = classes > _MOST_CLASSES
    return tuple(sorted(_OF_OTHER_HEADS, key=lambda word: EVIDENCE_METHODS[word].top_only != top_only))


def gives_bias(affine: AffineHead | None, head: BlackBox, shape: tuple[int, ...]) -> bool:
    """Whether evidence by gradient of a head that is not affine adds up with the bias of the active pieces."""
    return affine is None and active_bias.adds_up(head, active_bias.probes(shape))


def derive(head: keras.Model) -> AffineHead | None:
    """The class weights of a model of Keras, see `derive_of`."""
    return derive_of(head, tuple(head.inputs[0].shape[1:]))


def derive_of(head: BlackBox, shape: tuple[int, ...]) -> AffineHead | None:
    """Class weights are the head's own Jacobian: no layer is taken apart, and the result is proven.

    Args:
        head: features (N, h, w, C), a tensor of TensorFlow or an array -> logits (N, K).
        shape: h, w and C.

    Returns:
        None where the head is not affine in the features.
    """
    probes = np.random.default_rng(0).normal(size=(len(_MAGNITUDES), *shape)).astype(np.float32)
    probes *= _MAGNITUDES[:, np.newaxis, np.newaxis, np.newaxis]
    if not _looks_affine(head, probes):
        return None
    bias = _logits(head, np.zeros_like(probes[:1]))[0]
    affine = AffineHead(_jacobian(head, shape, len(bias)), bias)
    return affine if _says_the_same(head, affine, probes) else None


def _logits(head: BlackBox, features: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(head(features, training=False), np.float32)


def _looks_affine(head: BlackBox, probes: NDArray[np.float32]) -> bool:
    """Whether f(a) + f(-a) == 2 f(0) and f(2 a) + f(0) == 2 f(a): cheap, and sorts out most heads before a Jacobian is
    made for each class. A normalization of each image, as ConvNeXt has, satisfies the first.
    """
    every = (probes, -probes, 2 * probes, np.zeros_like(probes[:1]))
    plus, minus, double, zero = (_logits(head, features) for features in every)
    bound = 1e-3 * (np.abs(plus) + np.abs(minus) + np.abs(zero)).max(axis=1, keepdims=True)
    return bool((np.abs(plus + minus - 2 * zero) <= bound).all() and (np.abs(double + zero - 2 * plus) <= bound).all())


def _jacobian(head: BlackBox, shape: tuple[int, ...], classes: int) -> NDArray[np.float32]:
    """d logits / d features at 0: float32 (C, K) where it is the same at every place, else (h, w, C, K)."""
    import tensorflow as tf

    some = max(1, min(classes, _MOST_NUMBERS // int(np.prod(shape))))
    zeros = tf.zeros((some, *shape))

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def gradient(chosen: Any) -> Any:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(zeros)
            own = head(zeros, training=False) * tf.one_hot(chosen, classes)
        return tape.gradient(own, zeros, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    # Some classes at a time, made small at once: all places of ResNet50's 1,000 classes would be 400 MB.
    rows: list[NDArray[np.float32]] = []
    for first in range(0, classes, some):
        chosen = np.minimum(np.arange(first, first + some), classes - 1).astype(np.int32)  # of one size, traced once
        rows += map(_at_one_place, gradient(tf.constant(chosen)).numpy()[: classes - first])
    weights = np.stack(np.broadcast_arrays(*rows), axis=-1)
    return np.asarray(weights[0, 0] if weights.shape[:2] == (1, 1) else weights)


def _at_one_place(gradient: NDArray[np.float32]) -> NDArray[np.float32]:
    """A gradient (h, w, C) as (1, 1, C) where it is the same at every place."""
    return gradient[:1, :1].copy() if (gradient == gradient[:1, :1]).all() else gradient


def _says_the_same(head: BlackBox, affine: AffineHead, probes: NDArray[np.float32]) -> bool:
    """Compare head and class weights on random features of both signs."""
    for probe, received in zip(probes, _logits(head, probes), strict=True):
        expected = cam.logits(probe, affine.weights, affine.bias)
        magnitude = cam.logits(np.abs(probe), np.abs(affine.weights), np.abs(affine.bias))
        if not (np.abs(received - expected) <= _ROUNDING * magnitude).all():
            return False
    return True
