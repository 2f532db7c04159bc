"""Evidence as the classifier's own framework has it: what the evidence of artifacts is held against."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from camlite.maps import cam

if TYPE_CHECKING:
    import keras

    from camlite_export.cutting.heads import AffineHead

Floats = NDArray[np.float32]


def by_class_weights(head: AffineHead, features: Floats, classes: NDArray[np.int64]) -> Floats:
    """Evidence of one class an image, float32 (N, h, w), of features (N, h, w, C) and classes (N,)."""
    maps = [cam.evidence(one, head.weights, [k])[0] for one, k in zip(features, classes, strict=True)]
    return np.stack(maps)


def by_gradient(head: keras.Model, features: Floats, classes: NDArray[np.int64]) -> Floats:
    """The same by TensorFlow's own gradient: features times d logit / d features, summed over the channels.

    Args:
        head: features (N, h, w, C) -> logits (N, K).
    """
    import tensorflow as tf

    watched = tf.constant(features)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(watched)
        logits = head(watched, training=False)
        own = tf.reduce_sum(tf.gather(logits, classes, batch_dims=1))
    gradient = np.asarray(tape.gradient(own, watched), np.float32)
    return np.asarray((features * gradient).sum(axis=-1))
