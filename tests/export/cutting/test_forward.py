"""`camlite_export.cutting.forward`: gradients inside the artifact, of ordinary operators, against those of Keras."""

from __future__ import annotations

import dataclasses
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import support.classifier_kinds as kinds
from camlite.errors import ClassifierError
from camlite_export.cutting import two_output
from camlite_export.cutting.two_output import TwoOutputModel
from camlite_export.targets import tflite_target
from support.classifier_kinds import AFFINE_HEADS, OTHER_HEADS, Kind
from support.flatbuffer_operators import operators

titled = pytest.mark.parametrize("kind", OTHER_HEADS, ids=str)

# Relative to the largest evidence: float32 gradients of a few layers, summed in another order. 2e-6 was measured.
ROUNDING = 2e-5


def cut(kind: Kind) -> TwoOutputModel:
    model = kinds.cut(kind)
    assert isinstance(model, TwoOutputModel), model
    return model


def inputs(model: TwoOutputModel) -> tf.Tensor:
    return tf.constant(kinds.images(model).astype(np.float32) / 255)


def gradient_evidence(model: TwoOutputModel, images: tf.Tensor) -> np.ndarray:
    """Features times Keras's own gradient of each logit: (N, h, w, K)."""
    features = tf.constant(model.model(images)["features"])
    maps = []
    for k in range(model.classes):
        with tf.GradientTape() as tape:
            tape.watch(features)
            logit = tf.reduce_sum(model.head(features, training=False)[:, k])
        maps.append(np.asarray(features * tape.gradient(logit, features)).sum(axis=-1))
    return np.stack(maps, axis=-1)


def exported(model: TwoOutputModel, images: tf.Tensor) -> dict[str, np.ndarray]:
    """The forward pass as it is traced for export."""
    traced = tf.function(model.function(), autograph=False)
    return {name: np.asarray(value) for name, value in traced(images).items()}


def agree(received: np.ndarray, expected: np.ndarray) -> None:
    assert received.shape == expected.shape
    np.testing.assert_allclose(received, expected, rtol=0, atol=ROUNDING * np.abs(expected).max())


@titled
def test_evidence_of_every_class_is_features_times_kerass_gradient(kind: Kind) -> None:
    model = cut(kind)
    images = inputs(model)
    agree(exported(model, images)["evidence"], gradient_evidence(model, images))


@pytest.mark.parametrize("kind", AFFINE_HEADS, ids=str)
def test_class_weights_in_the_graph_give_evidence_of_every_class_and_the_same_scores(kind: Kind) -> None:
    model = cut(kind)
    images = inputs(model)
    outputs = exported(dataclasses.replace(model, evidence_method="graph"), images)
    agree(outputs["evidence"], gradient_evidence(model, images))
    agree(outputs["scores"], np.asarray(model.model(images)["scores"]))


@titled
def test_of_many_classes_there_is_evidence_of_the_top_class_alone(kind: Kind) -> None:
    model = dataclasses.replace(cut(kind), evidence_method="gradient_top")
    images = inputs(model)
    outputs = exported(model, images)
    top = outputs["scores"].argmax(axis=1)
    expected = np.take_along_axis(gradient_evidence(model, images), top[:, None, None, None], axis=-1)
    agree(outputs["evidence"], expected)


@titled
def test_tflite_gives_evidence_of_the_top_class_of_many(kind: Kind) -> None:
    """Of one image, so that shapes are constants: its converter makes other operators of them."""
    model = dataclasses.replace(cut(kind), evidence_method="gradient_top")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an interpreter that is not to be loaded beside this one
        interpreter = tf.lite.Interpreter(model_content=tflite_target.convert(model, "float32", None))
    image = inputs(model)[:1]
    received = interpreter.get_signature_runner()(image=image)
    top = int(received["scores"][0].argmax())
    agree(received["evidence"], gradient_evidence(model, image)[..., top : top + 1])


@pytest.mark.parametrize("kind", AFFINE_HEADS[:2], ids=str)
def test_an_affine_head_needs_no_evidence_in_the_graph(kind: Kind) -> None:
    model = cut(kind)
    assert exported(model, inputs(model)).keys() == {"features", "scores"}


@titled
def test_tflite_needs_no_operators_but_its_own(kind: Kind) -> None:
    """No Flex operators (they need TensorFlow), no custom ones."""
    found = operators(kinds.converted(kind, "tflite"))
    assert found
    assert not [name for name in found if name.startswith(("CUSTOM", "Flex"))]


@titled
def test_onnx_needs_no_operators_but_its_own(kind: Kind) -> None:
    import onnx

    model = onnx.load_from_string(kinds.converted(kind, "onnx"))
    assert {node.domain for node in model.graph.node} == {""}
    onnx.checker.check_model(model)


def test_gradients_outside_are_as_they_were() -> None:
    """The registry of gradients is TensorFlow's: it is given back."""
    from tensorflow.python.framework import ops

    before = dict(ops.gradient_registry._registry)
    exported(cut(OTHER_HEADS[0]), inputs(cut(OTHER_HEADS[0])))
    assert ops.gradient_registry._registry == before


def test_a_head_that_cannot_be_differentiated_is_refused() -> None:
    image = keras.Input((8, 8, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, activation="relu")(image))
    scores = layers.Dense(3)(keras.ops.round(x * 10.0))
    model = two_output.cut(keras.Model(image, scores, name="classifier"))
    with pytest.raises(ClassifierError, match="cannot be differentiated"):
        exported(model, tf.zeros((1, 8, 8, 3)))
