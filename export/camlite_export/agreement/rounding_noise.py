"""What rounding alone does to a classifier: it against itself, with its tensors rounded as a precision rounds them.

Deep classifiers can be so steep that no artifact of few bits can agree with them: of a Teachable Machine model
(MobileNetV2 0.35) the 5th percentile of the evidence correlation falls to 0.90 when nothing but the inputs of its
layers is rounded to 8 bits, its weights left as they are; 0.993 when only the pixels are. No conversion can undo
that, and so `camlite_export.agreement.judging` asks no more of an artifact than the classifier can give.

In 16 bits kernels are rounded, too. Theirs is the same error at every place, and weighs six times as much: of that
model the mean score changes by 0.0011 with its tensors in float16, by 0.0070 with its kernels, and by 0.0057 and 0.0082
in the artifacts. In 8 bits converters know better than to round kernels to the nearest (0.096 instead of 0.05), and
what they can do is left to them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from camlite.artifact.precisions import Precision
from camlite.maps import cam
from camlite_export.agreement import measurement as measurements
from camlite_export.agreement.interpreter_process import Answers
from camlite_export.agreement.reference import Reference
from camlite_export.cutting.cut import Cut
from camlite_export.precisions import PRECISIONS
from camlite_export.sources.source import Floats


def measure(
    cut: Cut,
    prepared: Floats,
    reference: Reference,
    precision: Precision,
    truth: NDArray[np.int64] | None = None,
    rounds_evidence: bool = False,
) -> measurements.Measurement:
    """How far the classifier is from itself when the inputs of its layers are rounded, in 16 bits its kernels as well.

    Args:
        prepared: its inputs, float32 (N, H, W, channels); reference: its answers to them.
        precision: float32 says how far a classifier is from itself that computes in 16 bits.
        truth: the true classes (N,), where they are known.
        rounds_evidence: an artifact's graph gives evidence of all classes in 8 bits, with one scale for all.
    """
    bits = PRECISIONS[precision].noise_bits
    round_ = _rounding_to(bits)
    features, logits = cut.answer_changed(prepared, round_, round_ if bits == 16 else None)
    scores = cam.activate(round_(logits), cut.activation).astype(np.float32)
    answers = _answers(cut, features, logits, scores, reference.classes)
    if rounds_evidence and cut.affine:
        every = [cam.evidence(one, cut.affine.weights, range(cut.classes)) for one in features]
        maps = _to_integers(np.stack(every), 8)
        answers = replace(answers, evidence=maps[np.arange(len(maps)), reference.classes])
    return measurements.measure(reference, answers, truth)


def _answers(cut: Cut, features: Floats, logits: Floats, scores: Floats, classes: NDArray[np.int64]) -> Answers:
    head, activation = cut.affine, cut.activation
    completeness = np.full(len(features), np.nan)
    if head:
        logits = np.stack([cam.logits(one, head.weights, head.bias) for one in features])
    if head or cut.gives_bias:
        completeness[:] = [cam.completeness(one, given, activation) for one, given in zip(logits, scores, strict=True)]
    evidence = cut.evidence(features, classes)
    return Answers(scores, classes, evidence, completeness, np.isfinite(features).all(axis=(1, 2, 3)))


def _rounding_to(bits: int | None) -> Callable[[Floats], Floats]:
    if bits is None:
        return _as_it_is
    return _to_half if bits == 16 else functools.partial(_to_integers, bits=bits)


def _as_it_is(tensor: Floats) -> Floats:
    return tensor


def _to_half(tensor: Floats) -> Floats:
    with np.errstate(over="ignore"):  # what float16 has no number for is infinite there, too
        return tensor.astype(np.float16).astype(np.float32)


def _to_integers(tensor: Floats, bits: int) -> Floats:
    """In steps of the same size from the least to the largest, 0 among them: as good a range as there is."""
    least, largest = min(tensor.min(), np.float32(0)), max(tensor.max(), np.float32(0))
    step = max((largest - least) / np.float32(2**bits - 1), np.finfo(np.float32).tiny)
    zero = np.rint(least / step)
    return np.asarray((np.rint(tensor / step - zero) + zero) * step, np.float32)
