"""The reference: the scores and the evidence of the original, which every artifact is held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from camlite.artifact.card import Preprocessing
from camlite.images import preprocessing
from camlite_export.cutting.cut import Cut


@dataclass(frozen=True)
class Reference:
    """Answers of the original for N images.

    Attributes:
        scores: float32 (N, K).
        classes: index of the highest score, int64 (N,).
        evidence: of that class, float32 (N, h, w), in logits.
    """

    scores: NDArray[np.float32]
    classes: NDArray[np.int64]
    evidence: NDArray[np.float32]


def inputs_of(images: Sequence[NDArray[np.uint8]], target: Preprocessing) -> NDArray[np.float32]:
    """The classifier's input for each image: float32 (N, H, W, channels)."""
    return np.stack([preprocessing.prepare(pixels, target) for pixels in images])


def reference_of(cut: Cut, prepared: NDArray[np.float32]) -> Reference:
    """What the original answers to prepared inputs, float32 (N, H, W, channels)."""
    features, scores = cut.answer(prepared)
    classes = scores.argmax(axis=1)
    return Reference(scores, classes, cut.evidence(features, classes))
