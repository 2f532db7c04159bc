"""Measure how far an artifact's answers are from the Keras reference's, image by image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from camlite_export.interpreter_process import Answers
from camlite_export.keras_reference import Reference

Floats = NDArray[np.float64]

_TOP_FIFTH = 0.8


@dataclass(frozen=True)
class Measurement:
    """Per-image figures, each (N,).

    Attributes:
        score_difference: largest absolute difference of a score.
        same_class: 1 where both name the same class, else 0.
        correct: 1 where the artifact names the true class, 0 where not, NaN where it is not known.
        correct_reference: the same of the reference.
        evidence_error: largest absolute difference of evidence, over the reference's largest absolute evidence.
        correlation: Pearson's, of the two evidence maps; 1 for two equal maps.
        overlap: intersection over union of the top fifths of the two maps.
        peak_shift: Euclidean distance of the two peaks, in cells of the feature map.
        completeness: see `camlite.Explanation.completeness`.
    """

    score_difference: Floats
    same_class: Floats
    correct: Floats
    correct_reference: Floats
    evidence_error: Floats
    correlation: Floats
    overlap: Floats
    peak_shift: Floats
    completeness: Floats

    def __len__(self) -> int:
        return len(self.same_class)


def measure(reference: Reference, answers: Answers, truth: NDArray[np.int64] | None = None) -> Measurement:
    """Compare the answers for N images.

    Args:
        reference, answers: for the same images; `answers.evidence` of the reference's class.
        truth: the true classes (N,), where they are known.
    """
    expected = reference.evidence.reshape(len(reference.classes), -1).astype(np.float64)
    received = answers.evidence.reshape(expected.shape).astype(np.float64)
    named = answers.scores.argmax(axis=1)
    unknown = np.full(len(named), np.nan)
    largest = np.abs(expected).max(axis=1)
    error = np.abs(received - expected).max(axis=1)
    return Measurement(
        score_difference=np.abs(answers.scores - reference.scores).max(axis=1).astype(np.float64),
        same_class=(named == reference.classes).astype(np.float64),
        correct=unknown if truth is None else (named == truth).astype(np.float64),
        correct_reference=unknown if truth is None else (reference.classes == truth).astype(np.float64),
        evidence_error=np.divide(error, largest, out=np.where(error > 0, np.inf, 0.0), where=largest > 0),
        correlation=_correlation(expected, received),
        overlap=_overlap(expected, received),
        peak_shift=_peak_shift(expected, received, reference.evidence.shape[2]),
        completeness=answers.completeness,
    )


def join(parts: Sequence[Measurement]) -> Measurement:
    """Measurements of several batches as one."""
    names = [field.name for field in fields(Measurement)]
    return Measurement(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


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
