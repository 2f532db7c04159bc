"""Hold an artifact of an ONNX file against the file itself and against what torch said, see `support.torch_models`."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

import camlite
from camlite.images import preprocessing

# Pixels on 0..255, of ImageNet's mean and deviation as torch writes them on 0..1.
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


class Figures(NamedTuple):
    """How far answers are apart, at the most of all images.

    Attributes:
        scores: of artifact and file, in the same interpreter.
        features, logits: of artifact and torch, relative to the largest.
        evidence: of torch's top class, likewise.
        completeness: None where there is none.
    """

    scores: float
    features: float
    logits: float
    evidence: float
    completeness: float | None


def compare(file: Path, artifact: Path, said: Path) -> Figures:
    """In a process that has not seen TensorFlow.

    Args:
        file: the original.
        artifact: of it.
        said: ``.npz`` of `support.torch_models`.
    """
    import onnxruntime

    explainer = camlite.load(artifact)
    target = explainer.artifact.card.preprocessing
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    original = onnxruntime.InferenceSession(str(file), options, ["CPUExecutionProvider"])
    name = original.get_inputs()[0].name
    torch = np.load(said)
    found: list[list[float]] = []
    completeness: list[float] = []
    for image, logits, features, evidence in zip(*(torch[key] for key in _KEYS), strict=True):
        top = int(logits.argmax())
        explanation = explainer.explain(image, [top] if explainer.any_class else None)
        prepared = preprocessing.prepare(image, target).transpose(2, 0, 1)[np.newaxis]
        (scores,) = original.run(None, {name: np.ascontiguousarray(prepared)})
        found.append(
            [
                float(np.abs(explanation.scores - scores.reshape(-1)).max()),
                _relative(explanation.features, features),
                _relative(explanation.scores, logits),
                _relative(explanation.evidence.reshape(evidence.shape), evidence),
            ]
        )
        completeness += [] if explanation.completeness is None else [explanation.completeness]
    worst = [max(column) for column in zip(*found, strict=True)]
    return Figures(*worst, max(completeness, default=None))


_KEYS = ("images", "logits", "features", "evidence")


def _relative(received: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(received - expected).max() / np.abs(expected).max())
