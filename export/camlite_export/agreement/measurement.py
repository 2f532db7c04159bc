"""Measure how far an artifact's answers are from the Keras reference's, image by image."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from camlite.images import copies
from camlite.images.labelled_images import UNKNOWN
from camlite_export.agreement.interpreter_process import Answers
from camlite_export.agreement.reference import Reference

Floats = NDArray[np.float64]

_TOP_FIFTH = 0.8
# Of the largest evidence: cells that are nearer to each other are the same. Sums of float32 are off by 1e-7 of it, and
# the eight cells of an even picture were equal to the bit, where float16 moved the largest by two of them.
_EQUAL = 1e-6


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
        correlation: Pearson's, of the two evidence maps; 1 for two equal maps, and where the reference's is even and
            the other is so but for rounding in float32.
        overlap: intersection over union of the top fifths of the two maps.
        peak_shift: Euclidean distance of the two peaks, in cells of the feature map; from the nearest where the
            reference has several that are the same but for rounding in float32.
        completeness: see `camlite.Explanation.completeness`, over the largest score where that is above 1, as logits
            may be; NaN where it is None.
        fine_correlation: Pearson's, of the two fine maps; NaN where one of them has none.
        fine_moved, fine_size: half the sum of all differences of fine evidence, and the sum of the magnitudes of the
            reference's, in logits.
        seconds: how long the artifact took, from pixels to evidence; NaN where nobody asked.
        answered: a checksum of what the reference answered, int64; the same for copies of an image.
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
    fine_correlation: Floats = field(default_factory=lambda: np.empty(0))
    fine_moved: Floats = field(default_factory=lambda: np.empty(0))
    fine_size: Floats = field(default_factory=lambda: np.empty(0))
    seconds: Floats = field(default_factory=lambda: np.empty(0))
    answered: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    def __len__(self) -> int:
        return len(self.finite)

    @property
    def different(self) -> int:
        """How many of the images the reference tells apart: a hundred copies of one vouch for no more than that one."""
        return copies.different(self.answered, np.ones(len(self), np.bool_))

    @property
    def evidence_error(self) -> Floats:
        """Difference of evidence, over the reference's size of it, mean of all images.

        Not over that of the same image: a black one may have none, and any rounding is infinitely more.
        """
        return _over_the_mean(self.evidence_difference, self.evidence_size)

    @property
    def fine_elsewhere(self) -> Floats:
        """The share of fine evidence that the artifact has at other places, of the mean of all images' magnitudes."""
        return _over_the_mean(self.fine_moved, self.fine_size)


def _over_the_mean(figure: Floats, sizes: Floats) -> Floats:
    known = sizes[~np.isnan(sizes)]
    size = known.mean() if len(known) else 0.0
    return figure / size if size else figure


def measure(
    reference: Reference,
    answers: Answers,
    truth: NDArray[np.int64] | None = None,
    fine: NDArray[np.float32] | None = None,
) -> Measurement:
    """Compare the answers for N images.

    Args:
        reference, answers: for the same images; evidence of the reference's class.
        fine: the reference's fine evidence, float32 (N, h', w'), by the guide of the artifact; None where it has none.
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
        **_fine_figures(fine, answers.fine, comparable),
        seconds=np.full(len(finite), np.nan) if answers.seconds is None else answers.seconds,
        answered=_checksums(reference),
    )


def _checksums(reference: Reference) -> NDArray[np.int64]:
    pairs = zip(reference.scores, reference.evidence, strict=True)
    return np.array(
        [zlib.crc32(evidence.tobytes(), zlib.crc32(scores.tobytes())) for scores, evidence in pairs], np.int64
    )


def _fine_figures(
    expected: NDArray[np.float32] | None, received: NDArray[np.float32] | None, comparable: NDArray[np.bool_]
) -> dict[str, Floats]:
    """The figures of fine evidence, by their names; NaN where there is none to compare."""
    if expected is None or received is None:
        return {name: np.full(len(comparable), np.nan) for name in _FINE}
    if expected.shape != received.shape:
        raise ValueError(f"fine evidence: the reference's is {expected.shape}, the artifact's {received.shape}")
    known = comparable & np.isfinite(received).all(axis=(1, 2)) & np.isfinite(expected).all(axis=(1, 2))
    a = np.where(known[:, np.newaxis], expected.reshape(len(known), -1), 0).astype(np.float64)
    b = np.where(known[:, np.newaxis], received.reshape(len(known), -1), 0).astype(np.float64)
    figures = (_correlation(a, b), np.abs(a - b).sum(axis=1) / 2, np.abs(a).sum(axis=1))
    return {name: np.where(known, figure, np.nan) for name, figure in zip(_FINE, figures, strict=True)}


_FINE = ("fine_correlation", "fine_moved", "fine_size")


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
    # A black picture may give no evidence at all, where integer features leave 1e-9 of their zero point.
    room = _EQUAL * np.maximum(1, np.abs(expected).max(axis=1, keepdims=True))
    even = (a == 0).all(axis=1) & (np.abs(expected - received) <= room).all(axis=1)
    equal = np.where((a == b).all(axis=1) | even, 1.0, 0.0)
    return np.asarray(np.divide((a * b).sum(axis=1), size, out=equal, where=size > 0))


def _overlap(expected: Floats, received: Floats) -> Floats:
    a, b = (maps >= np.quantile(maps, _TOP_FIFTH, axis=1, keepdims=True) for maps in (expected, received))
    shares: Floats = (a & b).sum(axis=1) / (a | b).sum(axis=1)
    return shares


def _peak_shift(expected: Floats, received: Floats, width: int) -> Floats:
    """From the received peak to the nearest of the expected ones: an even picture has several."""
    room = _EQUAL * np.abs(expected).max(axis=1, keepdims=True)
    is_peak = expected >= expected.max(axis=1, keepdims=True) - room
    ay, ax = divmod(np.arange(expected.shape[1]), width)
    by, bx = divmod(received.argmax(axis=1)[:, np.newaxis], width)
    return np.asarray(np.where(is_peak, np.hypot(ay - by, ax - bx), np.inf).min(axis=1))
