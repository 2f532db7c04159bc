"""The Keras reference: the scores and the evidence that every artifact is held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from camlite import cam, image
from camlite.card import Preprocessing
from camlite_export.head import AffineHead
from camlite_export.two_output import TwoOutputModel


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
    return np.stack([image.prepare(pixels, target) for pixels in images])


def answer(two_output: TwoOutputModel, head: AffineHead, prepared: NDArray[np.float32]) -> Reference:
    """Run the Keras model on prepared inputs, float32 (N, H, W, channels)."""
    outputs = two_output.model(prepared, training=False)
    features, scores = (np.asarray(outputs[name]) for name in ("features", "scores"))
    classes = scores.argmax(axis=1)
    maps = [cam.evidence(one, head.weights, [top])[0] for one, top in zip(features, classes, strict=True)]
    return Reference(scores, classes, np.stack(maps))
