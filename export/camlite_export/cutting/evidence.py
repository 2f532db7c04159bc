"""Evidence as the classifier's own framework has it: what the evidence of artifacts is held against."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from camlite.artifact.evidence_methods import EvidenceMethod
from camlite.maps import cam
from camlite_export.cutting.halves import HasHead

Floats = NDArray[np.float32]


def by_class_weights(halves: HasHead, features: Floats, classes: NDArray[np.int64]) -> Floats:
    """Evidence of one class an image, float32 (N, h, w), of features (N, h, w, C) and classes (N,)."""
    if halves.affine is None:
        raise ValueError("the head is not affine: it has no class weights")
    maps = [cam.evidence(one, halves.affine.weights, [k])[0] for one, k in zip(features, classes, strict=True)]
    return np.stack(maps)


def by_gradient(halves: HasHead, features: Floats, classes: NDArray[np.int64]) -> Floats:
    """The same by TensorFlow's own gradient: features times d logit / d features, summed over the channels."""
    return np.asarray(terms_by_gradient(halves, features, classes).sum(axis=-1))


def terms_by_gradient(halves: HasHead, features: Floats, classes: NDArray[np.int64]) -> Floats:
    """What `by_gradient` sums, float32 (N, h, w, C)."""
    import tensorflow as tf

    watched = tf.constant(features)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(watched)
        logits = halves.head(watched, training=False)
        own = tf.reduce_sum(tf.gather(logits, classes, batch_dims=1))
    return features * np.asarray(tape.gradient(own, watched), np.float32)


REFERENCES: Mapping[EvidenceMethod, Callable[[HasHead, Floats, NDArray[np.int64]], Floats]] = {
    "device": by_class_weights,
    "graph": by_class_weights,
    "gradient": by_gradient,
    "gradient_top": by_gradient,
}
