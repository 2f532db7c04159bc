"""Derive class weights and bias from a head, and prove that they say the same as the head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from camlite import cam
from camlite.errors import ClassifierError

if TYPE_CHECKING:
    import keras

# A head is affine if it differs from its class weights by rounding alone. Rounding of a float32 sum of n terms
# is at most n * 6e-8 of the sum of their magnitudes, and grows like the root of n: 3e-5 for n = 250,000.
_ROUNDING = 3e-5
_PROBES = 8


@dataclass(frozen=True)
class AffineHead:
    """Class weights float32 (C, K), or (h, w, C, K) where they differ by place, and bias float32 (K,)."""

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]


def derive(head: keras.Model) -> AffineHead:
    """Class weights are the head's own Jacobian: no layer is taken apart.

    Args:
        head: features (N, h, w, C) -> logits (N, K).

    Raises:
        ClassifierError: the head is not affine in the features.
    """
    jacobian = _jacobian(head)
    uniform = bool((jacobian == jacobian[:1, :1]).all())
    weights = np.ascontiguousarray(jacobian[0, 0] if uniform else jacobian)
    zeros = np.zeros((1, *jacobian.shape[:3]), np.float32)
    affine = AffineHead(weights, np.asarray(head(zeros, training=False)[0], np.float32))
    _prove(head, affine, jacobian.shape[:3])
    return affine


def _jacobian(head: keras.Model) -> NDArray[np.float32]:
    """d logits / d features at 0: float32 (h, w, C, K)."""
    import tensorflow as tf

    shape = head.inputs[0].shape[1:]
    zeros = tf.zeros((1, *shape))

    @tf.function  # type: ignore[untyped-decorator]
    def gradient(k: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(zeros)
            logit = head(zeros, training=False)[0, k]
        return tape.gradient(logit, zeros)[0]

    classes = int(head.outputs[0].shape[1])
    return np.stack([gradient(tf.constant(k)).numpy() for k in range(classes)], axis=-1)


def _prove(head: keras.Model, affine: AffineHead, shape: tuple[int, ...]) -> None:
    """Compare head and class weights on random features of both signs."""
    random = np.random.default_rng(0)
    probes = random.normal(size=(_PROBES, *shape)).astype(np.float32)
    for probe, received in zip(probes, np.asarray(head(probes, training=False)), strict=True):
        expected = cam.logits(probe, affine.weights, affine.bias)
        magnitude = cam.logits(np.abs(probe), np.abs(affine.weights), np.abs(affine.bias))
        if not (np.abs(received - expected) <= _ROUNDING * magnitude).all():
            raise ClassifierError(
                "the layers behind the feature map are not affine (a hidden Dense layer with an activation, or "
                "global max pooling?), so evidence cannot be read off class weights; "
                "choose another layer with --layer"
            )
