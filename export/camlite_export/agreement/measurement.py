"""Measure how far an artifact's answers are from the Keras reference's, image by image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from camlite.images.labelled_images import UNKNOWN
from camlite_export.agreement.interpreter_process import Answers
from camlite_export.agreement.reference import Reference

Floats = NDArray[np.float64]

_TOP_FIFTH = 0.8


@dataclass(frozen=True)
class Measurement:
    """Per-image figures, each (N,).

    Where an answer holds a number that is not finite, the figures are NaN. Those of evidence are NaN, too, where
    the artifact's evidence is of another class than the reference's.

    Attributes:
        named, named_reference: the class with the highest score, for the artifact and for the reference; int64.
        finite: whether all numbers of the answer are finite; bool.
        score_difference: largest absolute difference of a score.
        same_class: 1 where both name the same class, else 0.
        correct: 1 where the artifact names the true class, 0 where not, NaN where it is not known.
        correct_reference: the same of the reference.
        evidence_size: largest absolute evidence of the reference, in logits.
        evidence_difference: largest absolute difference of evidence, in logits.
        correlation: Pearson's, of the two evidence maps; 1 for two equal maps.
        overlap: intersection over union of the top fifths of the two maps.
        peak_shift: Euclidean distance of the two peaks, in cells of the feature map.
        completeness: see `camlite.Explanation.completeness`, over the largest score where that is above 1, as logits
            may be; NaN where it is None.
        seconds: how long the artifact took, from pixels to evidence; NaN where nobody asked.
    """

    named: NDArray[np.int64]
    named_reference: NDArray[np.int64]
    finite: NDArray[np.bool_]
    score_difference: Floats
    same_class: Floats
    correct: Floats
    correct_reference: Floats
    evidence_size: Floats
    evidence_difference: Floats
    correlation: Floats
    overlap: Floats
    peak_shift: Floats
    completeness: Floats
    seconds: Floats = field(default_factory=lambda: np.empty(0))

    def __len__(self) -> int:
        return len(self.finite)

    @property
    def evidence_error(self) -> Floats:
        """Difference of evidence, over the reference's size of it, mean of all images.

        Not over that of the same image: a black one may have none, and any rounding is infinitely more.
        """
        known = self.evidence_size[~np.isnan(self.evidence_size)]
        size = known.mean() if len(known) else 0.0
        return self.evidence_difference / size if size else self.evidence_difference


def measure(reference: Reference, answers: Answers, truth: NDArray[np.int64] | None = None) -> Measurement:
    """Compare the answers for N images.

    Args:
        reference, answers: for the same images; evidence of the reference's class.
        truth: the true classes (N,), where they are known; `camlite.images.labelled_images.UNKNOWN` where one is not.

    Raises:
        ValueError: scores or evidence of the two differ in shape.
    """
    _same_shapes(reference, answers)
    expected = reference.evidence.reshape(len(reference.classes), -1).astype(np.float64)
    finite = answers.finite & np.isfinite(answers.scores).all(axis=1) & np.isfinite(answers.evidence).all(axis=(1, 2))
    comparable = finite & (answers.classes == reference.classes)
    # Numbers that are not finite are put out of the arithmetic first, and out of the figures afterwards.
    received = np.where(comparable[:, np.newaxis], answers.evidence.reshape(expected.shape), expected).astype(float)
    scores = np.where(finite[:, np.newaxis], answers.scores, reference.scores)
    named = scores.argmax(axis=1)
    known = np.nan if truth is None else np.where(truth == UNKNOWN, np.nan, truth)
    right, right_reference = (
        np.where(np.isnan(known), np.nan, classes == known) for classes in (named, reference.classes)
    )
    return Measurement(
        named=answers.scores.argmax(axis=1),
        named_reference=reference.classes,
        finite=finite,
        score_difference=np.where(finite, np.abs(scores - reference.scores).max(axis=1), np.nan),
        same_class=np.where(finite, named == reference.classes, np.nan),
        correct=np.where(finite, right, np.nan),
        correct_reference=np.where(finite, right_reference, np.nan),
        evidence_size=np.where(comparable, np.abs(expected).max(axis=1), np.nan),
        evidence_difference=np.where(comparable, np.abs(received - expected).max(axis=1), np.nan),
        correlation=np.where(comparable, _correlation(expected, received), np.nan),
        overlap=np.where(comparable, _overlap(expected, received), np.nan),
        peak_shift=np.where(comparable, _peak_shift(expected, received, reference.evidence.shape[2]), np.nan),
        completeness=np.where(finite, answers.completeness / _sizes(scores), np.nan),
        seconds=np.full(len(finite), np.nan) if answers.seconds is None else answers.seconds,
    )


def _sizes(scores: Floats) -> Floats:
    """Of each image's scores, at least 1."""
    return np.asarray(np.maximum(1.0, np.abs(scores).max(axis=1)))


def join(parts: Sequence[Measurement]) -> Measurement:
    """Measurements of several batches as one."""
    names = [one.name for one in fields(Measurement)]
    return Measurement(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def _same_shapes(reference: Reference, answers: Answers) -> None:
    for name in ("scores", "evidence"):
        expected, received = getattr(reference, name).shape, getattr(answers, name).shape
        if expected != received:
            raise ValueError(f"{name}: the reference's are {expected}, the artifact's {received}")


def _correlation(expected: Floats, received: Floats) -> Floats:
    a = expected - expected.mean(axis=1, keepdims=True)
    b = received - received.mean(axis=1, keepdims=True)
    size = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    equal = np.where((a == b).all(axis=1), 1.0, 0.0)
    return np.asarray(np.divide((a * b).sum(axis=1), size, out=equal, where=size > 0))


def _overlap(expected: Floats, received: Floats) -> Floats:
    a, b = (maps >= np.quantile(maps, _TOP_FIFTH, axis=1, keepdims=True) for maps in (expected, received))
    shares: Floats = (a & b).sum(axis=1) / (a | b).sum(axis=1)
    return shares


def _peak_shift(expected: Floats, received: Floats, width: int) -> Floats:
    (ay, ax), (by, bx) = (divmod(maps.argmax(axis=1), width) for maps in (expected, received))
    return np.asarray(np.hypot(ay - by, ax - bx))
