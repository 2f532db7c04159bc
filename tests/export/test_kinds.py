"""Every kind of classifier, exported in float32, on every backend against Keras."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import classifier_kinds as kinds
from camlite import artifact
from camlite.artifact import Format
from camlite.card import Arrays, Card, Head
from camlite_export import interpreter_process, keras_reference
from camlite_export.preprocessing import preprocessing
from camlite_export.two_output import TwoOutputModel
from classifier_kinds import AFFINE_HEADS, OTHER_HEADS, SHAPES, Kind
from fresh_process import BACKENDS

# Float32 in another order; the largest that was measured: scores 7e-7, evidence 2e-6 of its largest value (all but
# those whose scores are not bounded), completeness 3e-7.
SCORES, EVIDENCE, COMPLETENESS = 1e-5, 2e-5, 1e-5


def write(kind: Kind, model: TwoOutputModel, format_: Format, path: Path) -> Path:
    """An artifact with as many golden samples as there are none to find."""
    content = kinds.converted(kind, format_)
    height, width, channels = model.feature_shape
    card = Card(
        name="classifier",
        precision="float32",
        labels=tuple(f"class {k}" for k in range(model.classes)),
        preprocessing=preprocessing(model.image_shape, model.default_preprocessing),
        head=Head(model.layer, height, width, channels, model.activation, model.method),
        classifier_sha256="0" * 64,
        model_sha256=hashlib.sha256(content).hexdigest(),
        made_with={},
    )
    derived = model.affine
    golden = np.zeros((1, *model.image_shape), np.uint8)
    scores, evidence = np.zeros((1, model.classes), np.float32), np.zeros((1, height, width), np.float32)
    weights, bias = (derived.weights, derived.bias) if derived else (None, None)
    path.write_bytes(artifact.pack(format_, content, card, Arrays(weights, bias, golden, scores, evidence)))
    return path


@pytest.mark.parametrize("format_", ["tflite", "onnx"])
@pytest.mark.parametrize("kind", [*AFFINE_HEADS, *OTHER_HEADS, *SHAPES], ids=str)
def test_every_backend_answers_as_keras_does(
    kind: Kind, format_: Format, tmp_path: Path, interpreters: Mapping[str, ProcessPoolExecutor]
) -> None:
    model = kinds.cut(kind)
    assert isinstance(model, TwoOutputModel), model
    path = write(kind, model, format_, tmp_path / f"classifier.float32.{format_}")
    images = list(kinds.images(model))
    target = preprocessing(model.image_shape, model.default_preprocessing)
    expected = keras_reference.answer(model, keras_reference.inputs(images, target))
    able = [backend for backend in interpreters if BACKENDS[backend] == format_]
    assert able
    scale = max(1.0, float(np.abs(expected.scores).max()))  # linear scores are not bounded
    for backend in able:
        classes = expected.classes.tolist()
        received = interpreters[backend].submit(interpreter_process.answer, path, backend, images, classes).result()
        np.testing.assert_array_equal(received.classes, expected.classes)
        np.testing.assert_allclose(received.scores, expected.scores, rtol=0, atol=SCORES * scale)
        largest = np.abs(expected.evidence).max()
        np.testing.assert_allclose(received.evidence, expected.evidence, rtol=0, atol=EVIDENCE * largest)
        if kind.method == "cam":
            assert received.completeness.max() <= COMPLETENESS * scale
        else:
            assert np.isnan(received.completeness).all()
