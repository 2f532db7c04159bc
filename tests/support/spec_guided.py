"""Give exported artifacts a guide: a model with one more output, and fine evidence as Keras and the formula make it.

The guide is made by a few plain operators from an earlier layer: the evidence of the class at the places of that layer,
its positive part. Where the guide is of the top class, the others are multiplied by 0.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from camlite import artifact
from camlite.artifact.card import Window
from camlite.artifact.map_choice import Guide, MapChoice, MeasuredMap

if TYPE_CHECKING:
    import keras

# The whole grid of the valid 3 x 3 convolution over 10 x 14 pixels.
_INSIDE = Window(0.1, 1 / 14, 0.9, 13 / 14)

GUIDES: Mapping[str, Guide] = {
    "guided": Guide(8, 12, "all", ("edges",), "hirescam", False, 3.0, 0.05),
    "guided_top": Guide(8, 12, "top", ("edges",), "hirescam", False, 1.5, 0.0, _INSIDE),
}


@dataclass(frozen=True)
class Guided:
    """A cut classifier with a third output, for `camlite_export.targets`."""

    cut: Any
    guide: Guide

    def __getattr__(self, name: str) -> Any:
        return getattr(self.cut, name)

    def function(self) -> Callable[[Any], Mapping[str, Any]]:
        import keras
        import tensorflow as tf

        source = self.cut.source
        early = next(step.output for step in source.steps if step.name == self.guide.layers[0])
        outputs = {"features": self.cut.step.output, "scores": source.scores, "early": early}
        model = keras.Model(source.journey.image, outputs)
        kernel = (self.cut.affine.weights * 16).astype(np.float32)[np.newaxis, np.newaxis]

        def compute(image: Any) -> Mapping[str, Any]:
            outputs = dict(model(image, training=False))
            maps = tf.nn.relu(tf.nn.conv2d(outputs.pop("early"), kernel, 1, "VALID"))
            if self.guide.classes == "top":
                top = tf.one_hot(tf.argmax(outputs["scores"], axis=-1), self.cut.classes)
                maps = tf.reduce_sum(maps * top[:, tf.newaxis, tf.newaxis], axis=-1, keepdims=True)
            return {**outputs, "guide": maps}

        return compute


def by_the_formula(evidence: np.ndarray, window: Window, guides: np.ndarray, guide: Guide) -> np.ndarray:
    """Fine evidence (h', w'), cell by cell in float64, as artifact.md says it."""
    positive = np.maximum(guides.astype(np.float64), 0)
    scaled = positive / positive.max() if positive.max() > 0 else np.ones_like(positive)
    given = scaled + guide.floor * scaled.mean() + 1e-12 if positive.max() > 0 else scaled
    fine = np.zeros(given.shape)
    there, (height, width) = guide.window, evidence.shape
    rows, columns = (window.top, window.bottom, height), (window.left, window.right, width)
    fine_rows, fine_columns = (there.top, there.bottom, guide.height), (there.left, there.right, guide.width)
    for i, j in np.ndindex(evidence.shape):
        down = [_tent(rows, i, fine_rows, p, guide.radius) for p in range(guide.height)]
        across = [_tent(columns, j, fine_columns, q, guide.radius) for q in range(guide.width)]
        share = np.outer(down, across) * given
        fine += evidence[i, j] * share / share.sum()
    return fine


_Axis = tuple[float, float, int]
"""Where a grid begins and ends, and how many cells it has."""


def _tent(coarse: _Axis, i: int, fine: _Axis, p: int, radius: float) -> float:
    (start, stop, size), (fine_start, fine_stop, fine_size) = coarse, fine
    side = (stop - start) / size
    centre = start + (i + 0.5) * side
    place = fine_start + (p + 0.5) * (fine_stop - fine_start) / fine_size
    found = 1 - abs(place - centre) / (radius * side)
    return found if found >= 1e-6 else 0.0


def exported_with_a_guide(exported: Path, model: keras.Model, calibration: np.ndarray, guide: Guide) -> bytes:
    """The same artifact with a guide; imports TensorFlow.

    Args:
        exported: the classic artifact.
        model: the classifier.
        calibration: uint8 images, for int8.
    """
    from camlite.images import preprocessing
    from camlite_export.agreement.reference import inputs_of
    from camlite_export.cutting.two_output import cut
    from camlite_export.targets import TARGETS

    read = artifact.read(exported)
    card, arrays = read.card, read.arrays
    guided = Guided(cut(model), guide)
    inputs = inputs_of(list(calibration), card.preprocessing)
    content = TARGETS[read.container].convert(guided, card.precision, inputs)
    golden = np.stack([preprocessing.prepare(image, card.preprocessing) for image in arrays.golden_images])
    answers = {name: np.asarray(value) for name, value in guided.function()(golden).items()}
    tops = arrays.golden_scores.argmax(axis=1)
    places = np.zeros_like(tops) if guide.classes == "top" else tops
    fine = [
        by_the_formula(evidence, card.head.window, answers["guide"][row, ..., place], guide)
        for row, (evidence, place) in enumerate(zip(arrays.golden_evidence, places, strict=True))
    ]
    figures = (MeasuredMap("cam", 0.5, 0.25), MeasuredMap(f"guide {guide.layers[0]}", 0.75, 0.125))
    choice = MapChoice(guide, figures, len(calibration), "made up, for this vector")
    return artifact.pack(
        read.container,
        content,
        card._replace(model_sha256=hashlib.sha256(content).hexdigest()),
        arrays._replace(
            stored_weights=None,
            weights_rest=None,
            golden_errors=None,
            golden_fine=np.asarray(fine, np.float32),
            maps=choice,
        ),
    )
