"""The Keras reference: the scores and the evidence that every artifact is held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from camlite.artifact.card import Preprocessing
from camlite.images import preprocessing
from camlite.maps import cam
from camlite_export.cutting.two_output import TwoOutputModel

BATCH = 32


@dataclass(frozen=True)
class Reference:
    """Answers of the Keras model for N images.

    Attributes:
        scores: float32 (N, K).
        classes: index of the highest score, int64 (N,).
        evidence: of that class, float32 (N, h, w), in logits.
    """

    scores: NDArray[np.float32]
    classes: NDArray[np.int64]
    evidence: NDArray[np.float32]


def inputs(images: Sequence[NDArray[np.uint8]], target: Preprocessing) -> NDArray[np.float32]:
    """The classifier's input for each image: float32 (N, H, W, channels)."""
    return np.stack([preprocessing.prepare(pixels, target) for pixels in images])


def answer(two_output: TwoOutputModel, prepared: NDArray[np.float32]) -> Reference:
    """Run the Keras model on prepared inputs, float32 (N, H, W, channels).

    Evidence is features times class weights, or times Keras's own gradient where the head is not affine.
    """
    batches = [
        two_output.model(prepared[start : start + BATCH], training=False) for start in range(0, len(prepared), BATCH)
    ]
    features, scores = (
        np.concatenate([np.asarray(batch[name], np.float32) for batch in batches]) for name in ("features", "scores")
    )
    classes = scores.argmax(axis=1)
    return Reference(scores, classes, evidence(two_output, features, classes))


def evidence(
    two_output: TwoOutputModel, features: NDArray[np.float32], classes: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Evidence of one class an image, float32 (N, h, w), in logits.

    Args:
        features: float32 (N, h, w, C).
        classes: int64 (N,).
    """
    head = two_output.affine
    if head is None:
        return _gradient_evidence(two_output, features, classes)
    maps = [cam.evidence(one, head.weights, [k])[0] for one, k in zip(features, classes, strict=True)]
    return np.stack(maps)


def _gradient_evidence(
    two_output: TwoOutputModel, features: NDArray[np.float32], classes: NDArray[np.int64]
) -> NDArray[np.float32]:
    import tensorflow as tf

    watched = tf.constant(features)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(watched)
        logits = two_output.head(watched, training=False)
        own = tf.reduce_sum(tf.gather(logits, classes, batch_dims=1))
    gradient = np.asarray(tape.gradient(own, watched), np.float32)
    return np.asarray((features * gradient).sum(axis=-1))
