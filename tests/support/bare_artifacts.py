"""Artifacts of one float32 model, without the rest of the exporter: no golden samples, no measuring."""

from __future__ import annotations

import hashlib
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from camlite import artifact
from camlite.artifact import Container
from camlite.artifact.arrays import Arrays
from camlite.artifact.card import Card, Head, Preprocessing
from camlite.artifact.evidence_methods import EVIDENCE_METHODS
from camlite.artifact.map_choice import Guide, MapChoice
from camlite.artifact.precisions import Precision
from camlite_export.agreement import interpreter_process, measurement
from camlite_export.agreement.reference import Reference
from camlite_export.cutting.guide import MOST_CLASSES
from camlite_export.cutting.two_output import TwoOutputModel


def write(
    model: TwoOutputModel,
    target: Preprocessing,
    container: Container,
    content: bytes,
    path: Path,
    precision: Precision = "float32",
) -> Path:
    """Seal what a converter has made; the one golden sample is black, and wrong."""
    height, width, channels = model.feature_shape
    card = Card(
        name="classifier",
        precision=precision,
        labels=tuple(f"class {k}" for k in range(model.classes)),
        preprocessing=target,
        head=Head(model.layer, height, width, channels, model.activation, model.evidence_method),
        classifier_sha256="0" * 64,
        model_sha256=hashlib.sha256(content).hexdigest(),
        made_with={},
    )
    golden = np.zeros((1, *model.image_shape), np.uint8)
    scores, evidence = np.zeros((1, model.classes), np.float32), np.zeros((1, height, width), np.float32)
    traits = EVIDENCE_METHODS[model.evidence_method]
    weights = model.affine.weights if model.affine and traits.has_weights else None
    bias = model.affine.bias if model.affine and traits.adds_up else None
    arrays = Arrays(weights, bias, golden, scores, evidence)
    if (guide := guide_of(model)) is not None:
        fine = np.zeros((1, guide.height, guide.width), np.float32)
        arrays = arrays._replace(maps=MapChoice(guide), golden_fine=fine)
    path.write_bytes(artifact.pack(container, content, card, arrays))
    return path


def guide_of(model: TwoOutputModel) -> Guide | None:
    """What an artifact says of the guide that its model gives, all over the image; None where it gives none."""
    layers = model.guide_layers
    if layers is None:
        return None
    return Guide(
        *layers.shape, "all" if model.classes <= MOST_CLASSES else "top", layers.names, layers.method, layers.smooth
    )


@dataclass(frozen=True)
class Figures:
    """How far an artifact's answers are from Keras's, at the most of all images.

    Attributes:
        classes: whether all top classes are the same.
        scores: difference of a score, over the largest score where that is above 1.
        evidence: difference of evidence, over the largest evidence of the image.
        completeness: as `scores`; NaN where evidence is not made of class weights.
    """

    classes: bool
    scores: float
    evidence: float
    completeness: float


def compare(process: Executor, path: Path, backend: str, images: list[np.ndarray], expected: Reference) -> Figures:
    """Run an artifact in the process of its backend."""
    classes = expected.classes.tolist()
    answers = process.submit(interpreter_process.answer, path, backend, images, classes).result()
    measured = measurement.measure(expected, answers)
    scale = max(1.0, float(np.abs(expected.scores).max()))
    return Figures(
        bool(measured.same_class.all()),
        float(measured.score_difference.max()) / scale,
        float(measured.evidence_error.max()),
        float(measured.completeness.max()) / scale,
    )
