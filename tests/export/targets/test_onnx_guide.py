"""`camlite_export.targets.onnx_guide`: what only the guide depends on is float32, of integers that are there."""

from __future__ import annotations

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from keras import layers
from onnx import numpy_helper

from camlite_export.cutting import two_output
from camlite_export.cutting.guide import GuideLayers
from camlite_export.targets import onnx_guide, onnx_target
from support import classifier_kinds

IMAGES = np.random.default_rng(0).uniform(0, 1, (12, 32, 32, 3)).astype(np.float32)
CLASSES = 40


@pytest.fixture(scope="module")
def models() -> tuple[onnx.ModelProto, onnx.ModelProto]:
    """Of a network with a guide at 16 x 16: float32 and int8."""
    image = keras.Input((32, 32, 3))
    hidden = layers.Conv2D(16, 3, padding="same", activation="relu", name="early")(layers.MaxPooling2D()(image))
    hidden = layers.Conv2D(32, 3, padding="same", activation="relu")(layers.MaxPooling2D()(hidden))
    hidden = layers.Conv2D(32, 1, activation="relu", name="last")(hidden)
    scores = layers.Dense(CLASSES, activation="softmax")(layers.GlobalAveragePooling2D()(hidden))
    cut = two_output.cut(classifier_kinds.lively(keras.Model(image, scores)))
    guided = cut.guided_by(GuideLayers("layercam", cut.finer_steps[-1:]))
    small, large = (onnx_target.convert(guided, precision, IMAGES) for precision in ("float32", "int8"))
    return onnx.load_from_string(small), onnx.load_from_string(large)


def test_nothing_that_only_the_guide_depends_on_is_rounded(models: tuple[onnx.ModelProto, onnx.ModelProto]) -> None:
    constants = {one.name for one in models[1].graph.initializer}
    nodes = onnx_guide.nodes(models[1].graph)
    assert {"ConvTranspose", "Gather"} <= {node.op_type for node in nodes}
    assert not [node for node in nodes if node.op_type in ("QuantizeLinear", "QLinearConv", "ConvInteger")]
    # Features that the forward pass has rounded become real numbers again. Weights do so once, and not for every image.
    assert not [node for node in nodes if node.op_type == "DequantizeLinear" and node.input[0] in constants]


def test_no_large_weights_stand_in_float32_or_twice(models: tuple[onnx.ModelProto, onnx.ModelProto]) -> None:
    constants = [numpy_helper.to_array(one) for one in models[1].graph.initializer]
    assert not [one.shape for one in constants if one.dtype == np.float32 and one.size >= onnx_guide._LARGE]
    integers = [one.tobytes() for one in constants if one.dtype == np.uint8 and one.size >= onnx_guide._LARGE]
    assert len(integers) == len(set(integers)) == 3  # two kernels and the head's matrix


def test_its_guide_is_that_of_float32_behind_rounded_features(models: tuple[onnx.ModelProto, onnx.ModelProto]) -> None:
    expected, found = (
        onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(
            ["guide", "scores"], {"image": IMAGES}
        )
        for model in models
    )
    same = expected[1].argmax(axis=1) == found[1].argmax(axis=1)
    assert same.sum() >= 6
    correlations = [
        np.corrcoef(one.ravel(), other.ravel())[0, 1]
        for one, other in zip(expected[0][same], found[0][same], strict=True)
    ]
    assert np.median(correlations) >= 0.9986  # 0.9989 measured; 0.9984 with the guide in 8 bits


def test_a_model_without_a_guide_has_no_such_nodes() -> None:
    image = keras.Input((16, 16, 3))
    hidden = layers.Conv2D(8, 3, activation="relu")(image)
    scores = layers.Dense(4, activation="softmax")(layers.GlobalAveragePooling2D()(hidden))
    cut = two_output.cut(classifier_kinds.lively(keras.Model(image, scores)))
    model = onnx.load_from_string(onnx_target.convert(cut, "float32", None))
    assert onnx_guide.nodes(model.graph) == []


@pytest.mark.parametrize("activation", ["relu", "tanh", None])
def test_behind_a_maximum_of_rounded_features_its_guide_is_that_of_float32(activation: str | None) -> None:
    """The largest of the features as they were is none of those that were rounded; the guide is not 0 / 0 there."""
    image = keras.Input((32, 32, 3))
    hidden = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu", name="early")(image)
    hidden = layers.Conv2D(6, 3, strides=2, padding="same", activation=activation, name="last")(hidden)
    scores = layers.Dense(3, activation="softmax")(layers.GlobalMaxPooling2D()(hidden))
    cut = two_output.cut(classifier_kinds.lively(keras.Model(image, scores)))
    guided = cut.guided_by(GuideLayers("layercam", cut.finer_steps[-1:]))

    exact, rounded = (
        onnxruntime.InferenceSession(
            onnx_target.convert(guided, precision, IMAGES), providers=["CPUExecutionProvider"]
        ).run(["guide"], {"image": IMAGES})[0]
        for precision in ("float32", "int8")
    )

    assert np.corrcoef(exact.ravel(), rounded.ravel())[0, 1] > 0.9
