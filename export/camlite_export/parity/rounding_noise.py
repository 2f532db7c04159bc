"""What rounding alone does to a classifier: Keras against itself, with its tensors rounded as a precision rounds them.

Deep classifiers can be so steep that no artifact of few bits can agree with them: of a Teachable Machine model
(MobileNetV2 0.35) the 5th percentile of the evidence correlation falls to 0.90 when nothing but the inputs of its
layers is rounded to 8 bits, its weights left as they are; 0.993 when only the pixels are. No conversion can undo
that, and so `camlite_export.parity.compare` asks no more of an artifact than the classifier can give.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlite.artifact.card import Precision
from camlite.maps import cam
from camlite_export import workarounds
from camlite_export.cutting.two_output import TwoOutputModel
from camlite_export.parity import agreement, keras_reference
from camlite_export.parity.interpreter_process import Answers
from camlite_export.parity.keras_reference import Reference

_LEVELS = 255


def measure(
    two_output: TwoOutputModel,
    prepared: NDArray[np.float32],
    reference: Reference,
    precision: Precision,
    truth: NDArray[np.int64] | None = None,
    rounds_evidence: bool = False,
) -> agreement.Measurement:
    """How far the classifier is from itself when the inputs of its layers are rounded.

    Args:
        prepared: its inputs, float32 (N, H, W, channels); reference: its answers to them.
        precision: any but float32.
        truth: the true classes (N,), where they are known.
        rounds_evidence: an artifact's graph gives evidence of all classes in 8 bits, with one scale for all.
    """
    round_ = _to_half if precision == "float16" else _to_8_bits

    def visit(operation: Any, *arguments: Any, **options: Any) -> Any:
        import keras

        given = keras.tree.map_structure(round_, list(arguments)) if _is_rounded(operation) else arguments
        return operation(*given, **options)

    features = np.asarray(workarounds.run_through_graph(two_output.model, prepared, visit)["features"])
    logits = round_(workarounds.run_through_graph(two_output.head, features, visit))
    scores = cam.activate(np.asarray(logits), two_output.activation).astype(np.float32)
    answers = _answers(two_output, features, scores, reference.classes)
    if rounds_evidence and two_output.affine:
        every = [cam.evidence(one, two_output.affine.weights, range(two_output.classes)) for one in features]
        maps = np.asarray(_to_8_bits(np.stack(every)))
        answers = replace(answers, evidence=maps[np.arange(len(maps)), reference.classes])
    return agreement.measure(reference, answers, truth)


def _answers(
    two_output: TwoOutputModel, features: NDArray[np.float32], scores: NDArray[np.float32], classes: NDArray[np.int64]
) -> Answers:
    head, activation = two_output.affine, two_output.activation
    completeness = np.full(len(features), np.nan)
    if head:
        logits = (cam.logits(one, head.weights, head.bias) for one in features)
        completeness[:] = [cam.completeness(one, given, activation) for one, given in zip(logits, scores, strict=True)]
    evidence = keras_reference.evidence(two_output, features, classes)
    return Answers(scores, classes, evidence, completeness, np.isfinite(features).all(axis=(1, 2, 3)))


def _is_rounded(operation: Any) -> bool:
    """Whether converters round what an operation is given: normalizations and activations are fused into others."""
    return hasattr(operation, "kernel") or type(operation).__name__ in _MERGING


_MERGING = frozenset({"Add", "Multiply", "Concatenate", "SeparableConv2D", "DepthwiseConv2D"})


def _to_half(tensor: Any) -> Any:
    import tensorflow as tf

    return tf.cast(tf.cast(tensor, tf.float16), tf.float32)


def _to_8_bits(tensor: Any) -> Any:
    """In steps of the same size from the least to the largest, 0 among them: as good a range as there is."""
    import tensorflow as tf

    least, largest = tf.minimum(tf.reduce_min(tensor), 0.0), tf.maximum(tf.reduce_max(tensor), 0.0)
    step = tf.maximum((largest - least) / _LEVELS, np.finfo(np.float32).tiny)
    zero = tf.round(least / step)
    return (tf.round(tensor / step - zero) + zero) * step
